from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.occluders.hashing import (
    _keys,
    host_words,
    mix,
    mixed_counters,
    narrow_words,
    places,
    words,
)

numbers = st.lists(st.integers(0, 2**32 - 1), min_size=1)


def whole_word_mix(word: int) -> int:
    """The hash in Python's unbounded integers."""
    word ^= word >> 16
    word = word * 0x21F0AAAD % 2**32
    word ^= word >> 15
    word = word * 0xD35A2D97 % 2**32
    return word ^ word >> 15


@given(numbers)
def test_the_hash_is_that_of_unbounded_integers(drawn: list[int]) -> None:
    assert mix(torch.tensor(drawn)).tolist() == [
        whole_word_mix(number) for number in drawn
    ]


@given(numbers, st.text(max_size=9), st.integers(0, 2**64 - 1))
def test_words_are_the_same_by_tensors_and_on_the_host(
    counters: list[int], identity: str, seed: int
) -> None:
    low, high = _keys([identity], seed, "order")[0].tolist()
    by_tensors = mix(mix(mix(torch.tensor(counters)) ^ low) ^ high)
    assert torch.equal(
        words([identity], seed, "order", torch.tensor(counters))[0], by_tensors
    )


def test_the_first_words_of_an_id_are_those_of_a_batch() -> None:
    batch = words(["a", "b"], 7, "order", torch.arange(5))
    assert np.array_equal(host_words("b", 7, "order", 5), batch[1].numpy())


@given(numbers, st.text(max_size=9), st.integers(0, 2**64 - 1))
def test_narrow_words_are_words_less_half_of_their_range(
    counters: list[int], identity: str, seed: int
) -> None:
    counted = torch.tensor(counters)
    narrow = narrow_words([identity, "b"], seed, "order", mixed_counters(counted))
    expected = words([identity, "b"], seed, "order", counted) - 2**31
    assert narrow.dtype == torch.int32
    assert torch.equal(narrow.long(), expected)


def test_streams_of_other_purpose_are_other_words() -> None:
    counters = torch.arange(8)
    assert not torch.equal(
        words(["a"], 0, "order", counters), words(["a"], 0, "noise", counters)
    )


@given(st.lists(st.integers(0, 2**62), min_size=1, unique=True))
def test_places_are_those_of_a_sort(keys: list[int]) -> None:
    assert places(torch.tensor([keys]))[0].tolist() == [
        sorted(keys).index(key) for key in keys
    ]
