"""`align` and `recenter` of a session: estimators bound, results found again in the run log."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bluesky import Msg

from voltomo.model.alignment import Alignment, AlignmentMode
from voltomo.model.names import run_name
from voltomo.model.scan_spec import ScanSpec
from voltomo.model.sentence import SentenceError
from voltomo.plans.align import align
from voltomo.plans.align_options import AlignOptions
from voltomo.plans.recenter import recenter
from voltomo.profiles.align_page import write_align_page
from voltomo.profiles.alignment import RecordedEstimators
from voltomo.records.alignments import alignments_in
from voltomo.runtime.run_folder import RunFolder

if TYPE_CHECKING:
    from voltomo.profiles.session import Session

Plan = Generator[Msg, Any, Alignment]


class NotAligned(SentenceError):
    """There is no alignment whose reference could be taken."""


class Aligning:
    """Plans for one session; each returns an `Alignment`, and leaves a page in the exports.

    Parameters
    ----------
    session : Session
        Whose beamline and run folder.

    Attributes
    ----------
    last : Alignment or None
        The latest result.
    page : Path or None
        Its page.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._options = AlignOptions(full_well=session.file.full_well)
        self._estimators = RecordedEstimators(session.folder, session.file.full_well)
        self.last: Alignment | None = None
        self.page: Path | None = None

    def align(
        self, spec: ScanSpec, mode: AlignmentMode = "show", options: AlignOptions | None = None
    ) -> Plan:
        """Align for a scan that shall follow; see `voltomo.plans.align.align`."""
        found = yield from align(
            self._session.beamline, spec, self._estimators, mode=mode,
            options=options or self._options,
        )  # fmt: skip
        return self._kept(found)

    def recenter(
        self, spec: ScanSpec, mode: AlignmentMode = "show", reference: str = "last"
    ) -> Plan:
        """Find the sample again; ``reference`` is the uid of an alignment, or "last"."""
        before = find_alignment(self._session.folder, reference)
        if before.reference is None:
            raise NotAligned(
                f"recenter: expected radiographs round the turn in the alignment "
                f"{run_name(before.uid)}, saw none; no beam was used; align again"
            )
        found = yield from recenter(
            self._session.beamline, spec, self._estimators, before.reference, mode=mode,
            exposure_s=before.exposure_s, options=self._options,
        )  # fmt: skip
        return self._kept(found)

    def _kept(self, found: Alignment) -> Alignment:
        self.last, self.page = found, write_align_page(self._session.folder, found)
        return found


def find_alignment(folder: RunFolder, uid: str = "last") -> Alignment:
    """An alignment of a run folder by the first digits of its uid, or the last one that aligned.

    Raises
    ------
    NotAligned
        There is none, or more than one.
    """
    known = alignments_in(folder.run_log) if folder.run_log.exists() else []
    if uid == "last":
        found = [one for one in known if one.kind == "align"][-1:]
    else:
        found = [one for one in known if one.uid.startswith(uid)]
    if len(found) != 1:
        names = ", ".join(run_name(one.uid) for one in known[-8:]) or "none"
        raise NotAligned(
            f"expected {uid!r} to name one alignment in {folder.root}, saw {len(found)} "
            f"(the latest are: {names}); no beam was used; run 'voltomo align' first"
        )
    return found[0]
