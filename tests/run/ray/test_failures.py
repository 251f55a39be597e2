"""When the error of a cell counts."""

from __future__ import annotations

from pytest_retrieval_robust.core.cases import CLEAN
from pytest_retrieval_robust.core.errors import ModelError, OcclusionError
from pytest_retrieval_robust.run.collected_suite import CollectionError
from pytest_retrieval_robust.run.ray.failures import Failures
from pytest_retrieval_robust.run.ray.messages import SentError

ONE = SentError("ModelError", "Expected rows.")
OTHER = SentError("ModelError", "Expected memory.")


def test_the_second_actor_decides() -> None:
    failures: Failures[str] = Failures()
    assert not failures.is_certain("a", CLEAN, 3, ONE, workers=2)
    assert not failures.is_certain("a", CLEAN, 4, ONE, workers=2)
    # Another batch and another error, which says nothing of the first.
    assert not failures.is_certain("b", CLEAN, 9, OTHER, workers=2)
    assert failures.is_certain("b", CLEAN, 5, ONE, workers=2)
    assert failures.is_certain("b", CLEAN, 3, OTHER, workers=2)


def test_one_actor_alone_is_believed() -> None:
    failures: Failures[str] = Failures()
    assert failures.is_certain("a", CLEAN, 3, ONE, workers=1)


def test_errors_keep_their_class_and_words() -> None:
    error = OcclusionError("Expected a level.")
    sent = SentError.of(error).as_error()
    assert (type(sent), str(sent)) == (OcclusionError, "Expected a level.")
    # One with fields of its own, which are not sent.
    other = SentError.of(CollectionError("Expected a suite.", 2)).as_error()
    assert str(other) == "Expected a suite."
    assert not isinstance(other, ModelError)
