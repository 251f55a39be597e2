"""Whatever happens to workers, each number is finished once, and none is forgotten."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_retrieval_robust.run.ray.dealing import MOST_ATTEMPTS, Dealer

AHEAD = 4


@dataclass
class Clock:
    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Course:
    """A run of workers, of which every step is drawn."""

    dealer: Dealer[int]
    clock: Clock
    killers: frozenset[int]
    """Numbers that end every worker that takes them first."""
    finished: list[int] = field(default_factory=list)
    ended: int = 0
    hopeless: list[int] = field(default_factory=list)
    at_hand: dict[int, list[int]] = field(default_factory=dict)
    """What each worker was given and has not done."""

    def step(self, worker: int, dies: bool) -> None:
        self.clock.seconds += 1.0
        at_hand = self.at_hand.setdefault(worker, [])
        at_hand += self.dealer.deal(worker)
        assert len(self.dealer.held_by(worker)) <= AHEAD
        if dies or (at_hand and at_hand[0] in self.killers):
            self.hopeless += self.dealer.leave(worker)
            del self.at_hand[worker]
            self.ended += 1
        elif at_hand:
            number = at_hand.pop(0)
            if self.dealer.finish(worker, number):
                self.finished.append(number)


@settings(deadline=None)
@given(
    count=st.integers(0, 30),
    killers=st.frozensets(st.integers(0, 29), max_size=2),
    steps=st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=60),
)
def test_each_number_is_finished_once_or_found_to_end_workers(
    count: int, killers: frozenset[int], steps: list[tuple[int, bool]]
) -> None:
    clock = Clock()
    course = Course(Dealer(range(count), AHEAD, clock), clock, killers)
    deaths = 0
    for worker, dies in steps:
        # Workers die by chance once; a number that does it each time is another thing.
        course.step(worker, dies and deaths == 0)
        deaths += dies
    for turn in range(40 * count + 40):
        if course.dealer.is_finished or course.hopeless:
            break
        course.step(turn % 4, dies=False)
    assert len(set(course.finished)) == len(course.finished)
    if course.hopeless:
        # An innocent number is never blamed for what another one did.
        assert set(course.hopeless) <= killers
    else:
        assert course.dealer.is_finished
        assert sorted(course.finished) == list(range(count))


def test_one_that_may_have_ended_a_worker_is_tried_alone_and_elsewhere() -> None:
    dealer: Dealer[str] = Dealer(range(40), AHEAD)
    assert dealer.deal("a") == [0, 1, 2, 3]
    dealer.join("b")
    dealer.leave("a")
    first = dealer.deal("b")
    assert first == [0]
    assert dealer.deal("b") == []
    dealer.finish("b", 0)
    assert dealer.deal("b") == [1]
    # The one that failed before gets nothing of it, but what nobody has tried.
    assert set(dealer.deal("a")) & {1, 2, 3} == set()


def test_a_number_that_ends_every_worker_is_given_up() -> None:
    dealer: Dealer[int] = Dealer([7], AHEAD)
    for worker in range(MOST_ATTEMPTS - 1):
        assert dealer.deal(worker) == [7]
        assert dealer.leave(worker) == []
    assert dealer.deal(99) == [7]
    assert dealer.leave(99) == [7]


def test_the_last_numbers_are_shared_out_evenly() -> None:
    dealer: Dealer[str] = Dealer(range(4), AHEAD)
    dealer.join("a")
    dealer.join("b")
    assert [dealer.deal(worker) for worker in "abab"] == [[0], [1], [], []]


def test_who_has_nothing_to_do_takes_over_what_is_slow() -> None:
    clock = Clock()
    dealer: Dealer[str] = Dealer(range(3), 1, clock)
    dealer.join("a")
    dealer.join("b")
    assert dealer.deal("a") == [0]
    assert dealer.deal("b") == [1]
    clock.seconds = 1.0
    dealer.finish("b", 1)
    assert dealer.deal("b") == [2]
    clock.seconds = 2.0
    dealer.finish("b", 2)
    assert dealer.deal("b") == []  # number 0 is not slow yet
    clock.seconds = 3.5
    assert dealer.deal("b") == [0]
    assert dealer.finish("b", 0)
    assert not dealer.finish("a", 0)
    assert dealer.is_finished


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_workers_of_one_speed_finish_together(workers: int) -> None:
    dealer: Dealer[int] = Dealer(range(24), AHEAD)
    queues: dict[int, list[int]] = {worker: [] for worker in range(workers)}
    for worker in range(workers):
        dealer.join(worker)
    rounds = 0
    while not dealer.is_finished:
        for worker in range(workers):
            queues[worker] += dealer.deal(worker)
        for queue in queues.values():
            assert queue, "none waits while another has several"
        for worker, queue in queues.items():
            dealer.finish(worker, queue.pop(0))
        rounds += 1
    assert rounds == 24 // workers
