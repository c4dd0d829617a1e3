"""A few threads that share pieces of work; kernels release the GIL."""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


class _Shared:
    """Pieces that are handed out one by one."""

    def __init__(self, pieces: Iterable[int]) -> None:
        self._pieces = iter(pieces)
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[int]:
        while True:
            with self._lock:
                piece = next(self._pieces, None)
            if piece is None:
                return
            yield piece


def share(threads: int, work: Callable[[int, int], Result], pieces: Iterable[int]) -> list[Result]:
    """Do ``work(worker, piece)`` for all pieces, each once, and wait for them.

    Parameters
    ----------
    threads : int
        How many work; the caller itself where it is one.
    work : callable
        Gets the number of the worker, below `threads`, and the piece.
    pieces : iterable of int
        What is to be done, in this order.

    Returns
    -------
    list
        What `work` returned, in no order.
    """
    shared = _Shared(pieces)

    def one(worker: int) -> list[Result]:
        return [work(worker, piece) for piece in shared]

    if threads == 1:
        return one(0)
    with ThreadPoolExecutor(threads) as pool:
        return [result for done in pool.map(one, range(threads)) for result in done]
