"""Who is given which test under pytest-xdist: real schedulers, and workers that only
note what they are given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from xdist.remote import Producer
from xdist.scheduler import LoadScheduling

from pytest_retrieval_robust.run.xdist.notice_board import NoticeBoard
from pytest_retrieval_robust.run.xdist.scheduling import ModelScheduling

MODELS = ("", "clip", "clip-2", "clip-2-b", "other")
"""The model of a test, "" for none; some names begin others."""
SUITES = st.lists(st.sampled_from(MODELS), min_size=1, max_size=40)
FOREIGN = st.lists(st.just(""), min_size=1, max_size=60)
with_fixtures = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
_NUMBERS = count()


@dataclass(frozen=True)
class Gateway:
    id: str


@dataclass(eq=False)
class Worker:
    """Runs a test once it knows the next one, or that there is none: as xdist's do."""

    gateway: Gateway
    given: list[int] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    shutting_down: bool = False

    def send_runtest_some(self, indices: Sequence[int]) -> None:
        self.given += indices

    def shutdown(self) -> None:
        self.shutting_down = True

    @property
    def can_run(self) -> bool:
        return len(self.given) > 1 or (self.shutting_down and bool(self.given))


@dataclass
class Play:
    """A session of xdist's: the suite, its scheduler, and every worker there ever was."""

    ids: list[str]
    scheduler: Any
    workers: list[Worker] = field(default_factory=list)
    durations: Random = field(default_factory=lambda: Random(0))

    def add_worker(self) -> Worker:
        worker = Worker(Gateway(f"gw{len(self.workers)}"))
        self.workers.append(worker)
        self.scheduler.add_node(worker)
        self.scheduler.add_node_collection(worker, self.ids)
        return worker

    def start(self, workers: int) -> None:
        for _ in range(workers):
            self.add_worker()
        self.scheduler.schedule()

    def run(
        self, choose: Callable[[list[Worker]], Worker], dies_in: str | None = None
    ) -> None:
        """Until nobody can run any more, as `xdist.dsession` does it; `choose` says who is next."""
        while running := [worker for worker in self.workers if worker.can_run]:
            worker = choose(running)
            place = worker.given[0]
            if self.ids[place] == dies_in:
                assert self.scheduler.remove_node(worker) == dies_in
                worker.given.clear()
                dies_in = None
                self.add_worker()
                self.scheduler.schedule()
            else:
                worker.done.append(worker.given.pop(0))
                self.scheduler.mark_test_complete(
                    worker, place, self.durations.choice((0.01, 1.0))
                )
            if self.scheduler.tests_finished:
                for one in self.scheduler.nodes:
                    one.shutdown()

    @property
    def done(self) -> list[list[int]]:
        return [worker.done for worker in self.workers]


@pytest.fixture
def config(pytester: pytest.Pytester) -> Callable[[int], pytest.Config]:
    made: dict[int, pytest.Config] = {}

    def of(workers: int) -> pytest.Config:
        if workers not in made:
            made[workers] = pytester.parseconfig("--dist=load", f"--tx={workers}*popen")
        return made[workers]

    return of


@pytest.fixture
def play(
    config: Callable[[int], pytest.Config], tmp_path: Path
) -> Callable[[Sequence[str], int], tuple[Play, NoticeBoard]]:
    def begin(suite: Sequence[str], workers: int) -> tuple[Play, NoticeBoard]:
        board = NoticeBoard(tmp_path / str(next(_NUMBERS)))
        ids = ids_of(suite)
        models = {test: model for test, model in zip(ids, suite, strict=True) if model}
        if models:
            board.post_models(models)
        scheduler = ModelScheduling(
            config(workers), Producer("test", enabled=False), board
        )
        return Play(ids, scheduler), board

    return begin


Begin = Callable[[Sequence[str], int], tuple[Play, NoticeBoard]]


def ids_of(suite: Sequence[str]) -> list[str]:
    return [
        f"test_a.py::test_one[{model}-{place}]" for place, model in enumerate(suite)
    ]


@with_fixtures
@given(suite=SUITES, workers=st.integers(1, 4), random=st.randoms())
def test_every_test_runs_once_and_a_models_tests_on_one_worker_in_order(
    play: Begin, suite: list[str], workers: int, random: Random
) -> None:
    session, _ = play(suite, workers)
    session.start(workers)
    session.run(random.choice)
    assert sorted(place for done in session.done for place in done) == list(
        range(len(suite))
    )
    for model in set(suite) - {""}:
        own = [
            places
            for done in session.done
            if (places := [place for place in done if suite[place] == model])
        ]
        assert own == [[place for place, other in enumerate(suite) if other == model]]


@with_fixtures
@given(
    suite=FOREIGN, workers=st.integers(1, 4), random=st.randoms(use_true_random=False)
)
def test_a_foreign_suite_is_spread_as_xdist_spreads_it(
    play: Begin,
    config: Callable[[int], pytest.Config],
    suite: list[str],
    workers: int,
    random: Random,
) -> None:
    session, _ = play(suite, workers)
    plain = Play(
        session.ids, LoadScheduling(config(workers), Producer("test", enabled=False))
    )
    seed = random.random()
    for one in (session, plain):
        one.start(workers)
        one.run(Random(seed).choice)
    assert session.done == plain.done


@with_fixtures
@given(
    models=st.integers(1, 4),
    tests=st.integers(2, 5),
    others=st.integers(0, 10),
    workers=st.integers(1, 4),
)
def test_models_of_one_size_are_shared_out_evenly(
    play: Begin, models: int, tests: int, others: int, workers: int
) -> None:
    suite = [
        *(model for model in MODELS[1 : models + 1] for _ in range(tests)),
        *[""] * others,
    ]
    session, _ = play(suite, workers)
    session.start(workers)
    session.run(lambda running: min(running, key=lambda worker: len(worker.done)))
    shares = [len({suite[place] for place in done} - {""}) for done in session.done]
    assert max(shares) - min(shares) <= 1


@with_fixtures
@given(suite=SUITES, workers=st.integers(1, 3), random=st.randoms(), data=st.data())
def test_when_a_worker_dies_every_other_test_is_still_given_out(
    play: Begin, suite: list[str], workers: int, random: Random, data: st.DataObject
) -> None:
    session, board = play(suite, workers)
    dies_in = data.draw(st.integers(0, len(suite) - 1))
    session.start(workers)
    session.run(random.choice, session.ids[dies_in])
    done = sorted(place for places in session.done for place in places)
    assert done == [place for place in range(len(suite)) if place != dies_in]
    assert board.crashes() == (
        {suite[dies_in]: session.ids[dies_in]} if suite[dies_in] else {}
    )


@pytest.mark.parametrize(
    "mode", ["each", "loadscope", "loadfile", "loadgroup", "worksteal"]
)
def test_another_way_of_spreading_is_left_as_it_was_asked_for(
    pytester: pytest.Pytester, mode: str
) -> None:
    from pytest_retrieval_robust.run.plugin import pytest_xdist_make_scheduler

    config = pytester.parseconfig(f"--dist={mode}", "--tx=2*popen")
    assert pytest_xdist_make_scheduler(config, Producer("test", enabled=False)) is None
