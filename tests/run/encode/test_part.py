"""Parts share the batches of every sweep out among them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.core.errors import ConfigError
from pytest_retrieval_robust.run.encode.part import Part
from pytest_retrieval_robust.run.encode.shares import shuffled


@given(st.integers(1, 40), st.integers(0, 10**6), st.integers(0, 100))
def test_every_batch_is_of_one_part(count: int, batch: int, sweep: int) -> None:
    parts = [Part(number, count) for number in range(1, count + 1)]
    assert sum(part.owns(batch, sweep) for part in parts) == 1


def test_short_sweeps_fall_to_different_parts() -> None:
    owners = [Part(1, 4).owns(0, sweep) for sweep in range(4)]
    assert owners == [True, False, False, False]


@given(st.integers(1, 10**6), st.integers(0, 10**6))
def test_a_part_reads_what_it_writes(number: int, further: int) -> None:
    part = Part(number, number + further)
    assert Part.of_text(str(part)) == part


@pytest.mark.parametrize(
    "text", ["0/4", "5/4", "4", "1/0", "1/4/2", "-1/4", "1/4 ", "a/b", "١/٤", ""]
)
def test_what_is_no_part_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="Give the first of four processes"):
        Part.of_text(text)


@given(st.integers(2, 9), st.integers(0, 1000))
def test_parts_take_over_all_of_it_each_in_an_order_of_its_own(
    count: int, batches: int
) -> None:
    names = [f"i{number}" for number in range(batches)]
    orders = [shuffled(names, Part(n, count), 0) for n in range(1, count + 1)]
    assert all(sorted(order) == sorted(names) for order in orders)
    if batches > 20:
        assert len(set(map(tuple, orders))) == count
