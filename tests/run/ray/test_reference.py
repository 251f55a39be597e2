"""Whom the actors have to be alike with."""

from __future__ import annotations

import pytest

from pytest_retrieval_robust.core.errors import RobustError
from pytest_retrieval_robust.measure.embeddings.identity import ModelIdentity
from pytest_retrieval_robust.run.ray.reference import reference_of
from pytest_retrieval_robust.run.ray.sameness import Sameness


def process(node: str, device: str, torch: str = "2.15", data: bytes = b"") -> Sameness:
    declared = {"device": device, "libraries": {"torch": torch}}
    return Sameness(node, ModelIdentity(declared, b"", {}, b""), True, data)


def test_the_controller_counts_where_an_actor_has_its_device() -> None:
    own = process("here", "cpu")
    actors = [process("a", "H100"), process("b", "cpu")]
    reference = reference_of(own, actors)
    assert reference is own
    assert list(reference.differences(actors[0])) == ["device H100, not cpu"]


def test_actors_on_gpus_are_compared_with_each_other() -> None:
    actors = [process("a", "H100"), process("b", "H100", torch="2.14")]
    reference = reference_of(process("here", "cpu"), actors)
    assert reference is actors[0]
    assert list(reference.differences(actors[1])) == ["torch 2.14, not 2.15"]


def test_several_kinds_of_device_are_not_mixed() -> None:
    actors = [process("a", "H100"), process("b", "A100")]
    with pytest.raises(RobustError, match="one kind of device.*got A100, H100"):
        reference_of(process("here", "cpu"), actors)


def test_other_data_differ_too() -> None:
    (difference,) = process("here", "cpu").differences(
        process("a", "cpu", data=b"other")
    )
    assert difference == (
        "what is done to images and reports, or the data set's images or reports"
    )


def test_kinds_of_device_are_mixed_if_they_are_named() -> None:
    actors = [process("one", "A"), process("two", "B"), process("three", "C")]
    here = process("here", "cpu")
    assert reference_of(here, actors, ("B", "A")) is actors[1]
    assert reference_of(here, actors, ("any",)) is actors[0]
    with pytest.raises(RobustError, match=r"names \(D\), got A, B, C\."):
        reference_of(here, actors, ("D",))
    assert list(actors[1].differences(actors[0], ("B", "A"))) == []
    assert list(actors[1].differences(actors[0], ("any",))) == []
    assert list(actors[1].differences(actors[2], ("B", "A"))) == ["device C, not B"]
    assert list(actors[1].differences(actors[0])) == ["device A, not B"]
