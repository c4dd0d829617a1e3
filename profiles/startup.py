"""The names that a session begins with."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from voltomo.model.scan_spec import ScanSpec
from voltomo.profiles.as_it_stands import as_it_stands
from voltomo.profiles.flux import calibrate_flux
from voltomo.profiles.scan_file import ScanFile
from voltomo.profiles.stored_flats import with_stored_flats
from voltomo.runtime.yaml_file import FileRefused, sentence

if TYPE_CHECKING:
    from voltomo.profiles.session import Session


def namespace(session: Session) -> dict[str, Any]:
    """``RE``, devices under their own names, plans, and ``spec`` to write a scan down."""
    from bluesky import plan_stubs, plans

    from voltomo.plans.laminography import laminography
    from voltomo.plans.radiography import flats_and_darks, radiography
    from voltomo.plans.scan import scan
    from voltomo.plans.stop_when import stop_when
    from voltomo.plans.tomography import tomography, tomography_step
    from voltomo.plans.verdicts import wait_verdict
    from voltomo.plans.with_beam import with_beam
    from voltomo.profiles.aligning import Aligning

    aligning = Aligning(session)
    devices = {
        name: getattr(session.beamline, name)
        for name in ("rotation", "sample_stage", "camera", "trigger", "beam_monitor", "energy")
    }
    read_out_s = 1e-6 * session.file.row_delay_us * (session.file.rows - 1)
    return {
        # First: no device takes the name of a plan away.
        **session.beamline.further,
        "RE": session.RE,
        "session": session,
        "beamline": session.beamline,
        "shutter": session.beamline.shutter,
        "live": session.live,
        "metadata": session.metadata,
        "scan": scan,
        "tomography": tomography,
        "tomography_step": tomography_step,
        "laminography": laminography,
        "radiography": radiography,
        "flats_and_darks": flats_and_darks,
        "wait_verdict": wait_verdict,
        "stop_when": stop_when,
        "calibrate_flux": partial(calibrate_flux, session),
        "with_beam": partial(with_beam, session.beamline, read_out_s=read_out_s),
        "align": aligning.align,
        "recenter": aligning.recenter,
        "spec": _spec_maker(session),
        "bp": plans,
        "bps": plan_stubs,
        **devices,
    }


def _spec_maker(session: Session) -> Callable[..., ScanSpec]:
    first = session.file.samples[0].name

    def spec(**options: Any) -> ScanSpec:
        """A scan on this beamline; options as in a scan file, sensible values for the rest."""
        defaults = {"sample": first, "projections": 200, "exposure_s": 0.02, "period_s": 0.04}
        try:
            file = as_it_stands(session.file, session.beamline)
            asked = ScanFile.model_validate(defaults | options).spec(file)
        except ValidationError as error:
            found = [
                f"{'.'.join(map(str, mistake['loc']))}: {sentence(ScanFile, mistake)}"
                for mistake in error.errors()
            ]
            raise FileRefused(f"no scan: {'; '.join(found)}") from error
        return with_stored_flats(asked, session.folder)

    return spec
