"""A gallery's batches: all texts once, those of one length together, rows as given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from pytest_retrieval_robust.core.errors import EmbeddingError, ModelError
from pytest_retrieval_robust.measure.embeddings.identity import ModelIdentity
from pytest_retrieval_robust.measure.embeddings.shards import ModelShards
from pytest_retrieval_robust.measure.embeddings.store import EmbeddingStore
from pytest_retrieval_robust.measure.sweep.gallery import (
    encode_gallery,
    encode_gallery_batch,
    gallery_batches,
)
from pytest_retrieval_robust.models import (
    LoadRequest,
    ModelCard,
    token_lengths_of,
    truncated_by,
)
from pytest_retrieval_robust.models._formats.composed import ComposedEncoder, Parts
from pytest_retrieval_robust.models._formats.pictures import (
    Picture,
    resize_and_crop,
)

from ...models.test_remembered_tokens import Letters
from .test_sweep import Pixels

TEXTS = st.lists(st.text("abcd", max_size=4), min_size=2, max_size=30, unique=True)
SIZES = st.integers(1, 9)


class Bag(nn.Module):
    """(B, L) ids -> (B, 8), in integers, so that no batch rounds otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.passes: list[tuple[int, ...]] = []

    def forward(self, ids: Tensor) -> Tensor:
        self.passes.append(tuple(ids.shape))
        places = torch.arange(1, ids.shape[1] + 1)
        values = (ids * places).sum(1, keepdim=True) % torch.tensor(
            [3, 5, 7, 11, 13, 17, 19, 23]
        )
        return values + 1.0


class LongLetters(Letters):
    context = 16

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        self.tokenised += texts
        return [[1, *map(ord, text), 2] for text in texts]


def composed() -> tuple[ComposedEncoder, Bag, LongLetters]:
    bag = Bag()
    letters = LongLetters()
    prepare = resize_and_crop(8, 8, 3)  # type: ignore[arg-type]  # a filter by number
    picture = Picture(prepare, 8, (0.5,), (0.5,))
    parts = Parts(picture, nn.Identity(), letters, bag)
    encoder = ComposedEncoder("composed", ModelCard("test"), LoadRequest(), parts)
    letters.tokenised.clear()
    return encoder, bag, letters


@given(texts=TEXTS, size=SIZES)
def test_texts_of_one_length_go_together_and_rows_come_back_in_order(
    texts: list[str], size: int
) -> None:
    model, bag, letters = composed()
    batches = gallery_batches(model, texts, size)
    numbers = np.concatenate(batches)
    assert sorted(numbers.tolist()) == list(range(len(texts)))
    assert all(len(batch) == size for batch in batches[:-1])
    lengths = [(len(texts[number]), number) for number in numbers]
    # By length, and those of one length in the order of the data.
    assert lengths == sorted(lengths)

    rows = encode_gallery(model, texts, size)
    kinds = len({len(text) for text in texts})
    assert len(bag.passes) <= len(batches) + kinds - 1
    assert letters.tokenised == texts
    one_by_one = torch.cat([model.encode_reports([text]) for text in texts])
    assert torch.equal(rows, one_by_one)

    # What machines that share the batches out make of them is the same.
    shared = torch.zeros_like(rows)
    for batch in batches[::-1]:
        shared[torch.from_numpy(batch)] = encode_gallery_batch(model, texts, batch)
    assert torch.equal(shared, rows)


class Ordinary(Pixels):
    """Says nothing of tokens."""

    def __init__(self) -> None:
        super().__init__({})
        self.batches: list[list[str]] = []

    def encode_reports(self, texts: Sequence[str]) -> Tensor:
        self.batches.append(list(texts))
        return torch.eye(64)[[len(text) for text in texts]]


@given(texts=TEXTS, size=SIZES)
def test_other_encoders_get_the_order_of_the_data(texts: list[str], size: int) -> None:
    model = Ordinary()
    different = [*texts, "abcdefgh"]
    encode_gallery(model, different, size)
    assert model.batches == [
        different[start : start + size] for start in range(0, len(different), size)
    ]


@pytest.mark.parametrize("lengths", [[1], [1.0, 2.0], [[1, 2]], "ab", [[1], [1, 2]]])
def test_lengths_that_are_none_are_refused(lengths: Any) -> None:
    model: Any = Ordinary()
    model.token_lengths = lambda _: lengths
    with pytest.raises(EmbeddingError, match="token_lengths of pixels to return 2"):
        gallery_batches(model, ["a", "b"], 2)


@pytest.mark.parametrize(
    ("method", "ask"),
    [("token_lengths", token_lengths_of), ("truncated", truncated_by)],
)
def test_what_counting_of_tokens_raises_is_not_quoted(method: str, ask: Any) -> None:
    def count(_: object) -> None:
        raise KeyError("John Smith")

    model: Any = Ordinary()
    setattr(model, method, count)
    with pytest.raises(ModelError, match=f"{method} of pixels .* got KeyError") as said:
        ask(model, ["a"])
    assert "John" not in str(said.value)
    assert said.value.__context__ is None


def test_a_bad_row_is_named_by_its_place_in_the_data() -> None:
    model: Any = Ordinary()
    model.token_lengths = lambda texts: [9 - len(text) for text in texts]
    model.encode_reports = lambda texts: torch.stack(
        [torch.zeros(4) if text == "bb" else torch.eye(4)[0] for text in texts]
    )
    with pytest.raises(EmbeddingError, match=r"for report 1 \(1 of 2 rows"):
        encode_gallery(model, ["a", "bb", "ccc"], 2)


def test_stored_batches_are_found_again(tmp_path: Path) -> None:
    texts = ["a", "dddd", "cc", "b", "eeee", "ff"]
    model, bag, _ = composed()
    identity = ModelIdentity({"device": "cpu", "libraries": {}}, b"", {}, b"")
    shards = ModelShards(EmbeddingStore(tmp_path), model.name, identity)
    first = encode_gallery(model, texts, 2, shards)
    assert Counter(bag.passes) == {(2, 3): 1, (2, 4): 1, (2, 6): 1}
    bag.passes.clear()
    assert torch.equal(encode_gallery(model, texts, 2, shards), first)
    assert bag.passes == []
