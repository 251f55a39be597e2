"""What an actor's thread is given, and what becomes of it."""

from __future__ import annotations

from pytest_retrieval_robust.run.ray.actor_queue import ActorQueue
from pytest_retrieval_robust.run.ray.messages import Broken, SentError

BROKEN = Broken(SentError("RobustError", "Expected a batch."))


def test_what_others_have_finished_is_not_begun() -> None:
    queue = ActorQueue()
    queue.add([1, 2, 3], [])
    queue.add([4], [2, 3])
    assert list(queue.available()) == [1, 4]


def test_numbers_that_come_while_others_are_taken_go_the_same_way() -> None:
    queue = ActorQueue()
    queue.add([1], [])
    available = queue.available()
    assert next(available) == 1
    queue.add([2], [])
    assert list(available) == [2]


def test_nothing_is_taken_after_an_error_until_it_is_dealt_with() -> None:
    queue = ActorQueue()
    queue.add([1, 2], [])
    queue.halt(BROKEN)
    queue.add([3], [])
    assert queue.replies(1.0) == [BROKEN]
    assert list(queue.available()) == []
    queue.go_on()
    queue.add([4], [])
    assert list(queue.available()) == [4]


def test_a_closed_queue_ends_its_thread() -> None:
    queue = ActorQueue()
    queue.add([1], [])
    assert queue.wait()
    queue.close()
    assert not queue.wait()
    assert queue.replies(0.0) == []
