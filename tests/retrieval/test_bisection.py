"""Where a condition begins to hold."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.retrieval.bisection import bisect


@given(
    st.floats(-1.0, 1.0),
    st.integers(0, 60),
    st.sampled_from([0.0, 1e-3]),
)
def test_the_place_is_between_the_ends(place: float, steps: int, near: float) -> None:
    low, high = bisect(lambda x: x >= place, -1.0, 1.0, steps, near)
    assert -1.0 <= low <= place <= high <= 1.0
    width = 2.0 * 0.5**steps
    assert high - low <= max(width, near * high, 1e-15)


def test_it_stops_where_the_range_is_narrow_enough() -> None:
    visited: list[float] = []

    def holds(x: float) -> bool:
        visited.append(x)
        return x >= 3.0

    low, high = bisect(holds, 1.0, 5.0, steps=50, near=0.1)
    assert high - low <= 0.1 * high
    assert len(visited) == 4
