"""What every noise of the catalogue promises."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_retrieval_robust.core.catalogue import Catalogues
from pytest_retrieval_robust.core.errors import CorruptionError
from pytest_retrieval_robust.texts.noise import TextNoise

NOISES: list[TextNoise] = [
    *(entry.build() for entry in Catalogues().text_noise.entries()),
    Catalogues().text_noise.get("recognition").build(of="speech"),
    Catalogues().text_noise.get("truncation").build(tokens=2),
    Catalogues().text_noise.get("typos").build(share=1.0),
]
EVERY_NOISE = pytest.mark.parametrize("noise", NOISES, ids=lambda noise: noise.name)
REPORT = (
    "FINDINGS: There is a small left pleural effusion, 1.5 cm deep. The heart is enlarged."
    " No pneumothorax. Lungs are clear without focal consolidation. IMPRESSION: Small left"
    " pleural effusion. Mild cardiomegaly; comparison with the study of ___ is limited."
)
SENTENCES = st.sampled_from(
    [
        "FINDINGS:",
        "IMPRESSION:",
        "No pneumothorax.",
        "Dr. Smith was told at 10:30.",
        "The heart is enlarged, 1.5 cm.",
        "Kein Pneumothorax.",
        "肺は清明。",
        "___",
        "ok",
        ".",
    ]
)
TEXTS = st.one_of(
    st.lists(SENTENCES, min_size=1, max_size=6).map(" ".join), st.text(max_size=60)
)
SEVERITIES = st.integers(0, 20).map(lambda twentieths: twentieths / 20)
SEEDS = st.integers(0, 2**64 - 1)
few_examples = settings(max_examples=12, deadline=None)


@EVERY_NOISE
@few_examples
@given(text=TEXTS, seed=SEEDS)
def test_severity_0_changes_nothing(noise: TextNoise, text: str, seed: int) -> None:
    assert noise.apply([text], 0.0, seed) == [text]


@EVERY_NOISE
@few_examples
@given(text=TEXTS, severity=SEVERITIES, seed=SEEDS)
def test_a_text_with_words_is_never_left_empty(
    noise: TextNoise, text: str, severity: float, seed: int
) -> None:
    (noised,) = noise.apply([text], severity, seed)
    assert bool(noised.strip()) == bool(text.strip())


@EVERY_NOISE
@few_examples
@given(texts=st.lists(TEXTS, max_size=4), severity=SEVERITIES, seed=SEEDS)
def test_a_text_does_not_depend_on_its_neighbours(
    noise: TextNoise, texts: list[str], severity: float, seed: int
) -> None:
    alone = [noise.apply([text], severity, seed)[0] for text in texts]
    assert noise.apply(texts, severity, seed) == alone
    assert noise.apply(texts[::-1], severity, seed) == alone[::-1]


def _is_nested(noise: TextNoise) -> bool:
    # Loose sentences change places among those that are loose: where each of them stands
    # at a severity says nothing about a higher one.
    return noise.name != "sentence-order"


def _longest_common_part(words: list[str], others: list[str]) -> int:
    """How many words the two have in common, in the same order: the textbook's table."""
    lengths = [0] * (len(others) + 1)
    for word in words:
        above = list(lengths)
        for at, other in enumerate(others, start=1):
            longest = max(above[at], lengths[at - 1])
            lengths[at] = above[at - 1] + 1 if word == other else longest
    return lengths[-1]


@pytest.mark.parametrize("seed", range(5))
@EVERY_NOISE
def test_the_distance_to_the_report_never_falls_with_severity(
    noise: TextNoise, seed: int
) -> None:
    if not _is_nested(noise):
        pytest.skip("sentences change places: see test_noises")
    words = REPORT.split()
    equal = []
    for step in range(11):
        noised = noise.apply([REPORT], step / 10, seed)[0].split()
        equal.append(_longest_common_part(words, noised))
    assert equal == sorted(equal, reverse=True)
    assert equal[-1] < equal[0]


@EVERY_NOISE
def test_another_seed_changes_other_words(noise: TextNoise) -> None:
    if noise.name.startswith("truncation"):
        pytest.skip("the end of a report is the same for all seeds")
    changed = {noise.apply([REPORT], 0.5, seed)[0] for seed in range(20)}
    assert len(changed) > 1


@EVERY_NOISE
@pytest.mark.parametrize("severity", [-0.1, 1.1, float("nan"), True, "0.5", None])
def test_a_severity_out_of_range_is_refused(noise: TextNoise, severity: float) -> None:
    with pytest.raises(CorruptionError, match="severity from 0 to 1, got severity="):
        noise.apply([REPORT], severity, 0)


@EVERY_NOISE
@pytest.mark.parametrize("seed", [-1, 2**64, 0.5, True])
def test_a_wrong_seed_is_refused(noise: TextNoise, seed: int) -> None:
    with pytest.raises(CorruptionError, match="seed from 0 to"):
        noise.apply([REPORT], 0.5, seed)
