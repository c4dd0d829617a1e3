"""The benchmark of triggers counts what it says."""

import json

import numpy as np

from benchmarks.triggers import Case, Outcome, half_cycles, run_case, summary, true_crossings
from voltomo.model.condition import Condition
from voltomo.twin.cell_model import NMC811


def test_one_cell_meets_all_its_conditions() -> None:
    outcome = Outcome()
    run_case(Case(NMC811, 2.0, 1.0, (3.8,)), np.random.default_rng(3), outcome)
    figures = summary(outcome)
    assert figures["crossings"] == 44
    assert figures["misses"] == figures["doubles"] == 0
    assert figures["soc_error_in_polls_p95"] <= 1.0
    json.dumps(figures)


def test_truth_counts_a_half_cycle_once() -> None:
    soc = np.array([0.4, 0.6, 0.4, 0.6, 0.6, 0.4, 0.4, 0.6])
    current = np.array([1.0, 1.0, 1.0, 1.0, -1.0, -1.0, 1.0, 1.0])
    track = np.stack([np.arange(8.0), soc, soc + 3, current], axis=1)
    assert half_cycles(track).tolist() == [0, 0, 0, 0, 1, 1, 2, 2]
    assert true_crossings(Condition(quantity="soc", at=0.5), track) == {0: 1.0, 2: 7.0}
