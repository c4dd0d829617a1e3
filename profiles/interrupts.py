"""What ends work from outside: Ctrl-C, SIGTERM, a closed terminal. The beam goes off first."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

log = logging.getLogger(__name__)

ALL = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_POLL_S = 0.01
_WORDS = {
    signal.SIGINT: "Ctrl-C",
    signal.SIGTERM: "SIGTERM",
    signal.SIGHUP: "the end of its terminal",
}


class Interrupts:
    """Takes signals for a session: they pause a running engine at once, whatever it is doing.

    bluesky's own handler lets the first Ctrl-C wait for the next checkpoint, a whole sweep with
    beam away.

    Parameters
    ----------
    *numbers : signal.Signals
        Which; SIGHUP is left alone where it is ignored already (``nohup``).

    Attributes
    ----------
    taken : list of signal.Signals
        Those that came, oldest first.
    idle : callable
        What a signal does while no engine runs, in `watching`: raises `KeyboardInterrupt`, once,
        and only before an engine has run; from then on what was recorded comes first.
    """

    def __init__(self, *numbers: signal.Signals) -> None:
        nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        self.numbers = tuple(n for n in numbers if not (nohup and n is signal.SIGHUP))
        self.taken: list[signal.Signals] = []
        self.idle: Callable[[signal.Signals], None] = self._raise_once
        self._raised = self._engine_ran = False
        self._terminals = [place for place in (0, 1, 2) if os.isatty(place)]

    @property
    def by(self) -> str:
        """What came first, in a person's words."""
        return _WORDS[self.taken[0]] if self.taken else "a request to pause"

    @property
    def ended_by(self) -> str:
        """The last signal if it was one that ends a session, in words; else empty."""
        last = self.taken[-1] if self.taken else signal.SIGINT
        return "" if last is signal.SIGINT else _WORDS[last]

    def ignore(self, number: signal.Signals) -> None:
        """Do nothing but remember it."""
        log.info("%s was taken while everything is being put to rest", number.name)

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Take signals in this block, with or without an engine."""

        def handle(number: int, _frame: object) -> None:
            self._take(number)
            self.idle(signal.Signals(number))

        with self._handling(handle):
            yield

    @contextlib.contextmanager
    def pausing(self, engine: Any) -> Iterator[None]:
        """Pause this engine on a signal; a context manager for ``RunEngine``."""
        self._engine_ran = True
        over = threading.Event()

        def handle(number: int, _frame: object) -> None:
            self._take(number)
            # Not from here: the engine's loop may hold a lock that this thread waits for.
            threading.Thread(target=_pause, args=(engine, over), daemon=True).start()

        with self._handling(handle):
            try:
                yield
            finally:
                over.set()

    def _take(self, number: int) -> None:
        self.taken.append(signal.Signals(number))
        if number == signal.SIGHUP:
            self._let_go_of_terminal()

    def _let_go_of_terminal(self) -> None:
        """Words into a closed terminal are errors, and must not keep anything from its rest."""
        nothing = os.open(os.devnull, os.O_RDWR)
        for place in self._terminals:
            os.dup2(nothing, place)
        os.close(nothing)

    @contextlib.contextmanager
    def _handling(self, handle: Callable[[int, Any], None]) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            # Signals reach the main thread alone.
            yield
            return
        before = {number: signal.signal(number, handle) for number in self.numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def _raise_once(self, number: signal.Signals) -> None:
        if self._raised or self._engine_ran:
            self.ignore(number)
            return
        self._raised = True
        raise KeyboardInterrupt(_WORDS[number])


def _pause(engine: Any, over: threading.Event) -> None:
    from bluesky.utils import TransitionError  # pyright: ignore[reportPrivateImportUsage]

    while not over.is_set():
        try:
            engine.request_pause(defer=False)
        except TransitionError:
            # One that is paused, or puts everything to rest already, needs no other word; one
            # that is about to start does.
            if str(engine.state) != "idle":
                return
            over.wait(_POLL_S)
        else:
            return
