"""Reports that a model cuts are counted once per model and texts."""

from __future__ import annotations

import gc
from collections.abc import Sequence

from pytest_retrieval_robust.measure.sweep import truncated
from pytest_retrieval_robust.measure.sweep.truncated import truncated_once

from .test_sweep import Pixels


class Counting(Pixels):
    asked = 0

    def truncated(self, texts: Sequence[str]) -> int:
        self.asked += 1
        return sum(len(text) > 3 for text in texts)


def test_the_same_model_and_texts_are_asked_once() -> None:
    model = Counting({})
    texts = ["long one", "two"]
    assert [truncated_once(model, list(texts)) for _ in range(3)] == [1, 1, 1]
    assert model.asked == 1
    # Joined they are the same, and one of them is long now.
    assert truncated_once(model, ["long", " onetwo"]) == 2
    other = Counting({})
    assert truncated_once(other, texts) == 1
    assert (model.asked, other.asked) == (2, 1)


def test_a_model_that_cannot_say_is_none() -> None:
    assert truncated_once(Pixels({}), ["text"]) is None


def test_counts_live_as_long_as_their_model() -> None:
    model = Counting({})
    truncated_once(model, ["text"])
    key = id(model)
    assert key in truncated._counts
    del model
    gc.collect()
    assert key not in truncated._counts


def test_a_model_with_slots_is_asked_each_time() -> None:
    class Slots:
        __slots__ = ("asked",)
        asked: int

        def truncated(self, texts: Sequence[str]) -> int:
            self.asked += 1
            return len(texts)

    model = Slots()
    model.asked = 0
    for _ in range(2):
        assert truncated_once(model, ["text"]) == 1  # type: ignore[arg-type]
    assert model.asked == 2
