"""Errors in the shell: those of plans and devices as one sentence, a person's own as ever."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any

from voltomo.cli.say import say
from voltomo.model.sentence import SentenceError

if TYPE_CHECKING:
    from voltomo.profiles.session import Session

_MORE = "(%tb shows where)"


def show_as_sentences(shell: Any, session: Session) -> None:
    """Let IPython show errors that come out of the engine, or are meant for persons, in one line.

    Parameters
    ----------
    shell : InteractiveShell
        Of IPython.
    session : Session
        Whose engine.
    """

    def show(
        shown_in: Any,
        kind: type[BaseException],
        error: BaseException,
        trace: TracebackType,
        tb_offset: int | None = None,
    ) -> None:
        sentence = _sentence(session, error, trace)
        if sentence is None:
            shown_in.showtraceback((kind, error, trace), tb_offset=tb_offset)
            return
        sys.last_type, sys.last_value, sys.last_traceback = kind, error, trace
        say(sentence, err=True)
        if session.interrupts.ended_by:
            shown_in.confirm_exit = False
            shown_in.ask_exit()

    shell.set_custom_exc((Exception,), show)


def _sentence(session: Session, error: BaseException, trace: TracebackType) -> str | None:
    """What to say of an error; None for one that a person's own code made."""
    from bluesky.utils import FailedStatus, RunEngineInterrupted

    if isinstance(error, RunEngineInterrupted):
        if str(session.RE.state) == "paused":
            return f"paused, {session.beam()}; {session.RE.advice}"
        return f"the plan was ended, it could not be paused where it was; {session.beam()}"
    if isinstance(error, SentenceError):
        return str(error)
    if not _through_engine(trace):
        return None
    cause: BaseException = error
    if isinstance(error, FailedStatus):
        while cause.__cause__ is not None:
            cause = cause.__cause__
    if isinstance(cause, SentenceError):
        return str(cause)
    return f"the plan failed: {type(cause).__name__}: {cause}; {session.beam()} {_MORE}"


def _through_engine(trace: TracebackType | None) -> bool:
    """Whether an error came out of the RunEngine."""
    from bluesky import RunEngine

    calls = {RunEngine.__call__.__code__, RunEngine.resume.__code__}
    while trace is not None:
        if trace.tb_frame.f_code in calls:
            return True
        trace = trace.tb_next
    return False
