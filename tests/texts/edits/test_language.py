"""Reports in other languages are told from English ones."""

from __future__ import annotations

import pytest

from pytest_retrieval_robust.texts.edits.language import is_english

ENGLISH = (
    "the lungs are clear de novo",
    "pneumothorax",
    "no acute disease",
    "small left effusion ärztlich",
)
OTHERS = (
    "les poumons sont clairs sans pneumothorax",
    "kein pneumothorax und keine stauung",
    "no hay derrame pleural",
    "sem derrame pleural",
    "senza versamento",
    "ingen pneumothorax och inte opacity",
    "没有气胸 normal",
    "нет pneumothorax жидкости",
)


@pytest.mark.parametrize("text", ENGLISH)
def test_english_is_known(text: str) -> None:
    assert is_english(text.split())


@pytest.mark.parametrize("text", OTHERS)
def test_another_language_is_not_taken_for_english(text: str) -> None:
    assert not is_english(text.split())
