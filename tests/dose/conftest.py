"""One guard with its hardware for a test file, and clients."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.dose.guard_bench import GuardBench, Remote, guard_bench


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardBench]:
    """Hardware and guard, shared by the tests of a file."""
    with guard_bench(tmp_path_factory.mktemp("guard") / "run") as made:
        made.start_guard()
        yield made


@pytest.fixture(autouse=True)
def _no_client_outlives_its_test(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "bench" in request.fixturenames:
        request.getfixturevalue("bench").dismiss()


@pytest.fixture
def client(bench: GuardBench) -> Remote:
    """A client of a test's own; a lease that a test before left has ended."""
    made = bench.remote()
    bench.wait(lambda: made.get("Guard:State") != 1, 3)
    return made
