"""An exposure log that was edited, cut or replaced: found, set aside, and nothing silently lost."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dose.guard_rig import GY_PER_PHOTON, Rig
from voltomo.dose.exposure_log import open_exposure_log
from voltomo.dose.guard_clock import SteadyUtc
from voltomo.dose.guard_core import GuardCore
from voltomo.dose.guard_table import Cause
from voltomo.dose.guard_words import ShutterState
from voltomo.dose.ledger import Account, Ledger
from voltomo.dose.log_witness import keep_witness, read_witness
from voltomo.runtime.append_log import AppendLog, LogInUse, read_log
from voltomo.runtime.damaged_log import examine, replace_log

PURPOSE = "the guard of a test"


def lease(number: int, dose_Gy: float) -> list[tuple[str, Any]]:
    """What a lease of two stretches leaves in the log."""
    name = f"lease{number}"
    who = {"lease_id": name, "sample": "cell", "scan_uid": None, "purpose": "sweep"}
    stretch = {
        "dose_Gy": dose_Gy / 2, "dose_central_Gy": dose_Gy / 2, "open_s": 1.0, "charged_s": 1.0,
    }  # fmt: skip
    whole = {"dose_Gy": dose_Gy, "dose_central_Gy": dose_Gy, "open_s": 2.0, "reason": "done"}
    request = {"sample": "cell", "purpose": "sweep", "scan_uid": None}
    reserved = {"lease_id": name, "request": request, "reserved_Gy": dose_Gy, "reserved_s": 3.0}
    return [
        ("reserve", reserved), ("exposure", who | stretch), ("exposure", who | stretch),
        ("settle", who | whole | {"stamp": ""}),
    ]  # fmt: skip


def written(path: Path, *, witness: bool = True, leases: int = 4) -> Account:
    """An exposure log; what it says of the sample."""
    ledger = Ledger()
    with AppendLog(path) as log:
        for number in range(leases):
            for kind, data in lease(number, 10.0 * (number + 1)):
                log.append(kind, data, utc_s=1e9 + number, monotonic_s=float(number))
                ledger.add(kind, data)
        if witness:
            keep_witness(log, ledger)
    return ledger.settled("cell")


def opened(path: Path) -> Ledger:
    """The ledger that a guard begins with."""
    found = open_exposure_log(path, PURPOSE)
    found.close()
    return found.ledger


def edited(line: bytes, **values: Any) -> bytes:
    """A line with other data and its old checksum."""
    record = json.loads(line[9:])
    record["data"] |= values
    return line[:9] + json.dumps(record, separators=(",", ":")).encode() + b"\n"


def forged(line: bytes, **values: Any) -> bytes:
    """A line with other data and a checksum that fits them, were it the first."""
    made = edited(line, **values)
    return b"%08x " % zlib.crc32(made[9:-1]) + made[9:]


Damaging = Callable[[list[bytes]], list[bytes]]

DAMAGES: dict[str, Damaging] = {
    "a dose edited down": lambda x: [*x[:5], edited(x[5], dose_Gy=0.0), *x[6:]],
    "a dose edited down, and its checksum": lambda x: [*x[:5], forged(x[5], dose_Gy=0.0), *x[6:]],
    "a dose that is none": lambda x: [*x[:5], edited(x[5], dose_Gy="much"), *x[6:]],
    "a dose below zero": lambda x: [*x[:5], edited(x[5], dose_Gy=-1e6), *x[6:]],
    "an exposure taken out": lambda x: [*x[:5], *x[6:]],
    "a lease taken out": lambda x: [*x[:4], *x[8:]],
    "a line of nonsense": lambda x: [*x[:6], b"nonsense\n", *x[7:]],
    "a line that is no text": lambda x: [*x[:6], b"\xff\xfe\n", *x[7:]],
    "lines in another order": lambda x: [*x[:5], x[6], x[5], *x[7:]],
    "the end cut off": lambda x: x[:9],
    "the end cut in a line": lambda x: [*x[:9], x[9][:20]],
    "the beginning cut off": lambda x: x[3:],
    "all cut off": lambda _: [],
}


@pytest.mark.parametrize("name", list(DAMAGES))
def test_damage_is_found_set_aside_and_costs_no_gray(tmp_path: Path, name: str) -> None:
    path = tmp_path / "exposure.log"
    known = written(path)
    lines = path.read_bytes().splitlines(keepends=True)
    damaged = b"".join(DAMAGES[name](lines))
    path.write_bytes(damaged)
    ledger = opened(path)
    account = ledger.account("cell")
    assert account.dose_Gy >= known.dose_Gy * (1 - 1e-12)
    assert account.open_s >= known.open_s * (1 - 1e-12)
    # Nothing is counted more than twice, whatever happened to it.
    assert account.dose_Gy <= 2 * known.dose_Gy
    (sentence,) = ledger.latched
    (mended,) = [entry.data for entry in read_log(path) if entry.kind == "mended"]
    assert (tmp_path / mended["aside"]).read_bytes() == damaged
    assert mended["aside"] in sentence
    assert "reset the guard" in sentence
    good = b"".join(lines[: mended["first"]])
    assert path.read_bytes().startswith(good)
    # It is whole from here on, and a guard that is started again finds nothing new.
    assert opened(path).account("cell").dose_Gy == account.dose_Gy
    assert len(list(tmp_path.glob("exposure.log.damaged-*"))) == 1


def test_a_log_that_is_gone_is_found_by_its_witness(tmp_path: Path) -> None:
    path = tmp_path / "exposure.log"
    known = written(path)
    path.unlink()
    ledger = opened(path)
    assert ledger.account("cell").dose_Gy == pytest.approx(known.dose_Gy)
    assert "it was cut or replaced" in next(iter(ledger.latched))


def test_without_a_witness_settlements_bear_out_what_was_edited(tmp_path: Path) -> None:
    path = tmp_path / "exposure.log"
    known = written(path, witness=False)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(DAMAGES["a dose edited down"](lines)))
    ledger = opened(path)
    assert ledger.account("cell").dose_Gy == pytest.approx(known.dose_Gy)
    assert "charged besides" in next(iter(ledger.latched))
    assert "'cell' 10 Gy" in next(iter(ledger.latched))


def test_a_whole_log_and_a_torn_last_line_are_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "exposure.log"
    known = written(path)
    with path.open("ab") as file:
        file.write(b"0123")
    ledger = opened(path)
    assert not ledger.latched
    assert ledger.account("cell").dose_Gy == known.dose_Gy
    assert not list(tmp_path.glob("*.damaged-*"))


def test_a_log_that_cannot_be_set_aside_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "exposure.log"
    written(path)
    whole = path.read_bytes()
    (tmp_path / "aside").write_text("")
    with pytest.raises(FileExistsError):
        replace_log(path, tmp_path / "aside", 0, [])
    with AppendLog(path), pytest.raises(LogInUse):
        replace_log(path, tmp_path / "other", 0, [])
    assert path.read_bytes() == whole


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_whatever_is_done_to_the_log_no_gray_is_lost(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("log") / "exposure.log"
    known = written(path, leases=3)
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        kind = data.draw(st.sampled_from(["flip", "cut", "drop"]))
        if kind == "cut" or not raw:
            del raw[data.draw(st.integers(0, len(raw))) :]
        elif kind == "flip":
            raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
        else:
            first = data.draw(st.integers(0, len(raw) - 1))
            del raw[first : first + data.draw(st.integers(1, 400))]
    path.write_bytes(raw)
    ledger = opened(path)
    assert ledger.account("cell").dose_Gy >= known.dose_Gy * (1 - 1e-12)
    assert not examine(path).found
    if read_log(path) and read_log(path)[-1].kind == "latch":
        assert ledger.latched


def test_a_guard_over_a_mended_log_is_latched_and_counts_on(tmp_path: Path) -> None:
    path = tmp_path / "exposure.log"
    written(path)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:7]))
    opened(path)
    rig = Rig()
    rig.kill_guard()
    for entry in read_log(path):
        rig.disk.append(entry.kind, entry.data, utc_s=entry.utc_s)
    rig.start_guard()
    assert rig.core.state == "Latched"
    assert "latched" in rig.request()["error"]
    rig.core.reset("compared both files; the disk was exchanged")
    assert rig.request()["ok"]


def test_the_witness_names_the_last_line(tmp_path: Path) -> None:
    path = tmp_path / "exposure.log"
    known = written(path)
    witness = read_witness(path)
    assert witness is not None
    assert witness.fits(path)
    assert witness.accounts["cell"].dose_Gy == known.dose_Gy
    path.with_name("exposure.log.witness").write_text("nonsense")
    assert read_witness(path) is None


# ---- clocks


def test_steady_utc_goes_on_while_the_wall_clock_steps() -> None:
    clocks = {"wall": 2e9, "monotonic": 50.0}
    clock = SteadyUtc(lambda: clocks["wall"], lambda: clocks["monotonic"])
    clocks["wall"] += 1.0
    clocks["monotonic"] += 1.0
    assert clock.step_s() == 0
    before_s = clock.now_s()
    clocks["wall"] -= 3600.0
    assert clock.now_s() == before_s
    assert clock.step_s() == pytest.approx(-3600.0)
    assert clock.step_s() == 0
    # A stamp that a device gives by the wall clock, where that stands now.
    assert clock.of_stamp(clocks["wall"] - 0.25) == pytest.approx(before_s - 0.25)


@pytest.mark.parametrize("step_s", [-3600.0, 3600.0])
def test_a_step_under_a_lease_is_noted_and_costs_nothing(step_s: float) -> None:
    rig = Rig()
    rig.run(0.2)
    held = rig.request()["lease_id"]
    rig.run(0.5, held)
    rig.core.clock_stepped(step_s)
    rig.run(0.5, held)
    assert rig.core.enable
    assert ("back" if step_s < 0 else "forward") in rig.core.reason
    noted = [data for kind, data in rig.disk.entries if kind == "clock"]
    assert noted == [{"step_s": step_s, "cause": Cause.CLOCK_STEPPED}]


def test_a_clock_that_stands_before_the_last_entry_is_noted_at_the_start() -> None:
    rig = Rig()
    rig.run(1.0)
    rig.kill_guard()
    rig.disk.last_s = rig.now_s
    rig.now_s -= 600.0
    rig.start_guard()
    assert "stepped back by 600.0 s" in rig.core.reason


@pytest.mark.parametrize(("step_s", "elapsed_s"), [(-600.0, 5.0), (-600.0, None), (600.0, 5.0)])
def test_a_beam_found_open_after_a_step_is_counted_by_the_clock_that_did_not_step(
    step_s: float, elapsed_s: float | None
) -> None:
    rig = Rig()
    rig.run(1.0)
    last_s = rig.now_s
    guard = GuardCore(rig.settings, lambda *_: GY_PER_PHOTON, Ledger())
    now_s = last_s + 5.0 + step_s
    guard.start(now_s, last_s, elapsed_s)
    assert "stepped" in guard.reason
    guard.shutter(ShutterState.OPEN, 0.0, now_s)
    assert guard.account.opened_s == (now_s if elapsed_s is None else now_s - elapsed_s)
