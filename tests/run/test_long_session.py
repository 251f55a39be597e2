"""What a session keeps per case, counted: it grows by that with each of thousands."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator

import msgspec
import pytest

from pytest_retrieval_robust.core.cases import Case
from pytest_retrieval_robust.core.errors import RobustError
from pytest_retrieval_robust.core.outcomes import Answers, Outcome, Scores
from pytest_retrieval_robust.measure.sweep.results import Measured
from pytest_retrieval_robust.run.carried import TestRecord
from pytest_retrieval_robust.run.session import RobustSession, session_of

from ..conftest import SMALL, THREE_LINES

COUNTED = (Case, Outcome, Scores, Answers, Measured, TestRecord)
CASES = 4
"""Two seeds at two levels."""
CELLS = 3
"""Level 0 is one cell for all seeds."""


class Held:
    """A plugin that looks at what a session holds after its last test."""

    def __init__(self) -> None:
        self.objects: Counter[str] = Counter()
        self.outcomes: list[Outcome] = []
        self.copied_ranks: list[Case] = []
        """Cases whose ranks the sweep holds beside the run's store."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Iterator[None]:
        before = living()
        result = yield
        self.objects = living() - before
        run = session_of(session.config)
        self.outcomes = list(run.measurer.outcomes.values())
        for outcome in self.outcomes:
            if holds_ranks_twice(run, outcome):
                self.copied_ranks.append(outcome.case)
        return result


def living() -> Counter[str]:
    """How many objects there are of each kind that a case has."""
    gc.collect()
    kinds = map(type, gc.get_objects())
    return Counter(kind.__name__ for kind in kinds if kind in COUNTED)


def holds_ranks_twice(run: RobustSession, outcome: Outcome) -> bool:
    """Whether the sweep holds ranks of its own: those of level 0 are asked for again, and
    are the very arrays of the run's store.
    """
    stored = run.store.load(outcome.ranks_key or "")
    sweep = run.measurer.sweep_of(outcome.case.model, outcome.case.dataset)
    assert stored is not None
    assert len(stored["image_ranks"]) == outcome.image_to_report.queries
    assert sweep is not None
    assert not isinstance(sweep, RobustError)
    measured = sweep.cells[outcome.case.cell]
    assert isinstance(measured, Measured)
    if outcome.case.level == 0:
        return stored["image_ranks"] is not measured.image_ranks
    return len(measured.image_ranks) + len(measured.report_ranks) > 0


@pytest.fixture
def held(pytester: pytest.Pytester) -> Held:
    pytester.makepyfile(test_mine=THREE_LINES)
    plugin = Held()
    pytester.inline_run(*SMALL, "--robust-seeds=0,1", plugins=[plugin])
    return plugin


def test_a_case_is_kept_once_and_shares_its_scores_and_ranks_with_the_sweep(
    held: Held,
) -> None:
    assert held.objects == {
        "Case": CASES,
        "Outcome": CASES,
        "Scores": 2 * CELLS,
        "Answers": 2 * CELLS,
        "Measured": CELLS,
    }
    assert held.copied_ranks == []
    chances = {id(outcome.image_to_report.chance) for outcome in held.outcomes}
    counts = {id(outcome.timing.encoded_on) for outcome in held.outcomes}
    assert len(chances) == len(counts) == 1


def test_outcomes_are_plain_where_they_were_measured(held: Held) -> None:
    """So the record of one process is that of pytest-xdist, which sends plain data."""
    assert len(held.outcomes) == CASES
    for outcome in held.outcomes:
        plain = msgspec.to_builtins(outcome, str_keys=True)
        assert repr(Outcome.from_json(plain).as_json()) == repr(plain)
