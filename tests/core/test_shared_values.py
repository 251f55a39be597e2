"""Equal numbers of many cells are kept once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.core.shared_values import shared_interval, shared_number

SHARES = st.floats(0, 1)


@given(value=SHARES)
def test_equal_numbers_are_one_object(value: float) -> None:
    again = float.fromhex(value.hex())
    assert shared_number(again) is shared_number(value) == value


@given(low=SHARES, high=SHARES)
def test_equal_intervals_are_one_object(low: float, high: float) -> None:
    again = float.fromhex(low.hex())
    assert shared_interval(again, high) is shared_interval(low, high) == (low, high)
