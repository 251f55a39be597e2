"""Strategies of corruptions, text noise and edits of reports."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

import pytest_retrieval_robust.strategies as public
from pytest_retrieval_robust.core.catalogue import Catalogues
from pytest_retrieval_robust.core.errors import (
    ArgumentError,
    CorruptionError,
    RobustError,
    UnknownNameError,
)
from pytest_retrieval_robust.datasets.synthetic_cxr import load
from pytest_retrieval_robust.strategies import (
    AppliedCorruption,
    AppliedNoise,
    EditedPair,
    corruptions,
    edits,
    noises,
    severities,
)

CORRUPTIONS = Catalogues().corruptions
NOISES = Catalogues().text_noise
KINDS = ("negation", "side", "severity", "size", "zone", "device", "finding")


@given(st.data(), st.floats(0, 1))
def test_severities_stay_within_bounds(data: st.DataObject, top: float) -> None:
    assert 0 <= data.draw(severities(top)) <= top


@pytest.mark.parametrize("step", [0.2, 0.4, 0.6, 0.8, 1.0])
def test_every_published_step_is_drawn_exactly(step: float) -> None:
    assert find(severities(), lambda severity: severity == step) == step


@pytest.mark.parametrize("name", CORRUPTIONS.names())
def test_every_corruption_of_the_catalogue_is_drawn(name: str) -> None:
    found = find(corruptions(), lambda one: one.name == name and one.severity > 0)
    is_switch = CORRUPTIONS.get(name).is_switch
    assert (found.severity, found.seed) == (1.0 if is_switch else 0.01, 0)


@pytest.mark.parametrize("name", NOISES.names())
def test_every_text_noise_of_the_catalogue_is_drawn(name: str) -> None:
    found = find(noises(), lambda one: one.name == name and one.severity > 0)
    assert found == AppliedNoise(name, 0.01, 0)


def test_they_shrink_to_the_first_of_the_catalogue_with_nothing_done() -> None:
    first = CORRUPTIONS.names()[0]
    assert find(corruptions(), lambda _: True) == AppliedCorruption(first, 0.0, 0)
    assert find(noises(), lambda _: True) == AppliedNoise(NOISES.names()[0], 0.0, 0)


@given(corruptions("contrast", max_severity=0.3) | noises("case", max_severity=0.3))
def test_names_and_severities_are_those_asked_for(
    one: AppliedCorruption | AppliedNoise,
) -> None:
    assert one.name == ("case" if isinstance(one, AppliedNoise) else "contrast")
    assert one.severity <= 0.3


@settings(deadline=None, max_examples=40)
@given(corruptions())
def test_an_applied_corruption_is_that_of_the_catalogue(one: AppliedCorruption) -> None:
    pixels = torch.rand(2, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    built = CORRUPTIONS.get(one.name).build()
    expected = built.corrupt(pixels, ["a", "b"], one.severity, one.seed, (0, 0, 1, 1))
    assert torch.equal(one.apply(pixels, ["a", "b"]), expected)
    if one.severity == 0:
        assert torch.equal(expected, pixels)


@given(noises())
def test_an_applied_noise_is_that_of_the_catalogue(one: AppliedNoise) -> None:
    texts = ["FINDINGS: No pleural effusion. IMPRESSION: Normal chest.", "Normal."]
    built = NOISES.get(one.name).build()
    assert one.apply(texts) == built.apply(texts, one.severity, one.seed)


def test_every_edited_pair_is_an_edit_of_the_embedded_data_set() -> None:
    reports = load(pairs=100).reports

    @given(edits())
    def is_an_edit(pair: EditedPair) -> None:
        assert pair.original == reports[pair.report]
        assert pair.edited != pair.original

    is_an_edit()


@pytest.mark.parametrize("kind", KINDS)
def test_pairs_are_of_the_kinds_asked_for(kind: str) -> None:
    assert find(edits(kind), lambda _: True).kind == kind
    assert find(edits(), lambda pair: pair.kind == kind).kind == kind
    with pytest.raises(NoSuchExample):
        find(edits(kind), lambda pair: pair.kind != kind)


@given(corruptions() | noises() | edits())
def test_the_repr_makes_it_again(one: object) -> None:
    assert eval(repr(one), vars(public)) == one


MISUSES: dict[str, tuple[type[RobustError], Callable[[], object]]] = {
    "max_severity=3": (CorruptionError, lambda: severities(3)),
    "max_severity=-1": (CorruptionError, lambda: corruptions(max_severity=-1)),
    "max_severity=1.5": (CorruptionError, lambda: noises(max_severity=1.5)),
    "corruption='contrst'": (UnknownNameError, lambda: corruptions("contrst")),
    "text_noise='cases'": (UnknownNameError, lambda: noises("cases")),
    "kind='change'": (ArgumentError, lambda: edits("change")),
}


@pytest.mark.parametrize("message", MISUSES)
def test_misuse_says_what_was_got_when_the_strategy_is_made(message: str) -> None:
    error, make = MISUSES[message]
    with pytest.raises(error, match=message):
        make()
