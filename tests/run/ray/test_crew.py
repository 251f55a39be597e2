"""Actors that never start, end, refuse or break, without Ray: each call is answered here."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pytest

from pytest_retrieval_robust.core import time_limit
from pytest_retrieval_robust.core.cases import CLEAN, Cell
from pytest_retrieval_robust.core.errors import (
    DatasetError,
    ModelError,
    RobustError,
    TimedOutError,
)
from pytest_retrieval_robust.core.time_limit import TimeLimit
from pytest_retrieval_robust.run.ray import crew as crew_module
from pytest_retrieval_robust.run.ray.cluster import ActorLostError, Cluster
from pytest_retrieval_robust.run.ray.crew import Crew
from pytest_retrieval_robust.run.ray.layout import Layout, Node
from pytest_retrieval_robust.run.ray.member import Member
from pytest_retrieval_robust.run.ray.messages import (
    Broken,
    Deal,
    ImagesReply,
    Launch,
    Ready,
    Refusal,
    Reply,
    ReportsReply,
    SentError,
    SweepOrder,
)
from pytest_retrieval_robust.run.ray.phases import DealtPhase, Muster
from pytest_retrieval_robust.run.ray.sameness import Sameness

ORDER = SweepOrder(1, "model", "dataset", (), 8, None, keeps=False)
NOTHING = np.zeros((0, 0), dtype=np.float32)


class Ended(Exception):
    """An actor's process is gone."""


@dataclass(eq=False)
class Actor:
    """One actor of the stand-in: what it does with a batch is up to the test."""

    node: str
    encode: Callable[[str, int], None]
    refusal: RobustError | None = None
    torch: str = "2.15"
    is_gone: bool = False
    encoded: list[int] = field(default_factory=list)
    _numbers: list[int] = field(default_factory=list)

    def hello(self) -> str:
        return self.node

    def prepare(self, order: SweepOrder) -> Ready | Refusal:
        if self.refusal is not None:
            return Refusal(SentError.of(self.refusal))
        assert order == ORDER
        sameness = Sameness(self.node, cast(Any, None), False, self.torch.encode())
        return Ready(sameness, sees_store=True)

    def open_reports(self, _: Cell = CLEAN) -> None:
        self._numbers.clear()

    def exchange(self, deal: Deal, seconds: float) -> list[Reply]:
        assert seconds > 0
        self._numbers += deal.numbers
        number = self._numbers.pop(0)
        try:
            self.encode(self.node, number)
        except RobustError as error:
            self._numbers.clear()
            return [Broken(SentError.of(error))]
        self.encoded.append(number)
        return [ReportsReply(number, NOTHING, False)]


@dataclass(eq=False)
class Call:
    """A reference to what a call will give."""

    actor: Actor
    method: str
    arguments: tuple[Any, ...]

    def answer(self) -> Any:
        if self.actor.is_gone:
            raise ActorLostError("ActorDiedError", "")
        try:
            return getattr(self.actor, self.method)(*self.arguments)
        except Ended:
            self.actor.is_gone = True
        raise ActorLostError("ActorDiedError", "")


class Handle:
    def __init__(self, actor: Actor) -> None:
        self._actor = actor

    def __getattr__(self, method: str) -> Any:
        actor = self._actor

        class Method:
            @staticmethod
            def remote(*arguments: Any) -> Call:
                return Call(actor, method, arguments)

        return Method


@dataclass
class StandIn:
    """A cluster that begins the actors that it was given, and none once these are used up."""

    actors: list[Actor]
    begun: int = 0
    killed: list[Actor] = field(default_factory=list)

    def nodes(self) -> list[Node]:
        return [Node(2, 0)]

    def actor(self, layout: Layout, launch: Launch) -> Handle:
        assert (layout.cores, launch.folder) == (1, "suite")
        self.begun += 1
        if self.begun > len(self.actors):
            return Handle(Actor("never", no_harm))
        return Handle(self.actors[self.begun - 1])

    def wait(self, calls: Sequence[Call], seconds: float) -> list[Call]:
        assert seconds > 0
        started = [call for call in calls if call.actor.node != "never"]
        return started[:1]

    def value(self, call: Call) -> Any:
        return call.answer()

    def kill(self, handle: Handle) -> None:
        self.killed.append(handle._actor)

    def close(self) -> None: ...


def no_harm(node: str, number: int) -> None:
    assert node
    assert number >= 0


@dataclass
class Work:
    """What a crew did, and what it said."""

    cluster: StandIn
    taken: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def run(self, actors: int, count: int = 12) -> None:
        launch = Launch((), "suite", {}, (), 1)
        crew = Crew(
            cast(Cluster, self.cluster),
            Layout(actors, 1, 0),
            launch,
            self.notes.append,
        )
        crew.begin(ORDER)
        crew.run(Muster(crew))
        crew.admit(_other_torch)
        crew.run(
            DealtPhase(
                range(count),
                4,
                lambda member: member.handle.open_reports.remote(),
                self._take,
                "batch of dataset",
            )
        )
        assert sorted(self.taken) == list(range(count))

    def _take(self, member: Member, reply: ReportsReply | ImagesReply) -> bool:
        assert member.node
        self.taken.append(reply.number)
        return True


def _other_torch(ready: Ready) -> list[str]:
    torch = ready.sameness.inputs.decode()
    return [] if torch == "2.15" else [f"torch {torch}, not 2.15"]


def test_an_actor_that_ends_is_replaced_and_its_batches_are_dealt_again() -> None:
    harms = iter([True])

    def end_once(node: str, number: int) -> None:
        if (node, number) == ("a", 2) and next(harms, False):
            raise Ended

    work = Work(StandIn([Actor(node, end_once) for node in "aba"]))
    work.run(actors=2)
    assert work.cluster.begun == 3
    assert work.notes == [
        "An actor of Ray on a ended (ActorDiedError). Others took over what it had begun."
    ]
    # One whose call raised runs still, with the devices that the next one needs.
    assert [actor.node for actor in work.cluster.killed] == ["a"]


def test_an_actor_that_ends_is_not_missed_where_no_other_starts() -> None:
    def end(node: str, number: int) -> None:
        if node == "b" and number:
            raise Ended

    actors = [Actor("a", no_harm), Actor("b", end)]
    work = Work(StandIn(actors))
    work.run(actors=2)
    assert sorted(actors[0].encoded) == sorted(set(range(12)) - set(actors[1].encoded))


def test_a_batch_that_ends_every_actor_is_named() -> None:
    def end(node: str, number: int) -> None:
        if node and number == 5:
            raise Ended

    work = Work(StandIn([Actor(str(number), end) for number in range(9)]))
    with pytest.raises(
        RobustError, match="batch of dataset 6 to be encoded, got actors.*3 times"
    ):
        work.run(actors=2)


def test_an_actor_that_cannot_see_the_data_is_left_out_by_name() -> None:
    refusal = DatasetError("Expected films, got none. Mount them.")
    work = Work(StandIn([Actor("a", no_harm), Actor("b", no_harm, refusal)]))
    work.run(actors=2)
    assert work.notes == [f"Not used for encoding: b. {refusal}"]
    assert [actor.node for actor in work.cluster.killed] == ["b"]


def test_a_run_that_all_actors_refuse_says_why() -> None:
    refusal = DatasetError("Expected films, got none. Mount them.")
    actors = [Actor(node, no_harm, refusal) for node in "ab"]
    with pytest.raises(RobustError, match="got none. a: Expected films.* b: Expected"):
        Work(StandIn(actors)).run(actors=2)


def test_another_version_is_refused_by_name() -> None:
    actors = [Actor("a", no_harm), Actor("b", no_harm, torch="2.14")]
    work = Work(StandIn(actors))
    work.run(actors=2)
    assert len(actors[0].encoded) == 12
    assert "b. Expected what the others have, got torch 2.14, not" in work.notes[0]


@pytest.mark.skipif(not hasattr(signal, "SIGURG"), reason="nothing interrupts here")
def test_a_batch_that_hangs_ends_with_the_time_of_the_sweep(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As the controller waits for an actor that hangs."""
    monkeypatch.setattr(time_limit, "GRACE_SECONDS", 0.05)

    def hang(node: str, number: int) -> None:
        if node and number == 5:
            time.sleep(600)

    work = Work(StandIn([Actor("a", hang)]))
    with pytest.raises(TimedOutError, match="0.2 seconds"):
        time_limit.within(
            TimeLimit(0.2),
            lambda: work.run(actors=1),
            lambda limit: TimedOutError(f"{limit.seconds} seconds"),
        )
    assert work.taken == [0, 1, 2, 3, 4]


def test_an_actor_that_never_starts_is_an_error_that_says_what_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(crew_module, "START_SECONDS", 0.1)
    with pytest.raises(RobustError, match="within 0.1 s.*nodes=1, cores=2, gpus=0"):
        Work(StandIn([])).run(actors=1)


@pytest.mark.parametrize("actors", [1, 2])
def test_an_error_that_comes_again_is_raised_as_it_is(actors: int) -> None:
    def fail(node: str, number: int) -> None:
        if node and number == 3:
            raise ModelError("Expected rows, got none.")

    work = Work(StandIn([Actor(node, fail) for node in "ab"]))
    with pytest.raises(ModelError, match="Expected rows, got none"):
        work.run(actors=actors)


def test_an_error_of_one_machine_is_no_error_of_the_run() -> None:
    def fail(node: str, number: int) -> None:
        if node == "a" and number % 2:
            raise ModelError(f"Expected memory, got none for {number}.")

    work = Work(StandIn([Actor(node, fail) for node in "ab"]))
    work.run(actors=2)
    assert work.cluster.begun == 2
