from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from operator import mul

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pytest_retrieval_robust.core.errors import RankingError
from pytest_retrieval_robust.retrieval.ranking import positive_ranks, top_k

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def exact_scores(queries: Floats, gallery: Floats) -> list[list[Fraction]]:
    """Dot products without any rounding: each float32 is a whole number of 2**-149."""
    whole = [
        [[int(Fraction(x) * 2**149) for x in row] for row in rows.tolist()]
        for rows in (queries, gallery)
    ]
    return [[Fraction(sum(map(mul, q, g)), 2**298) for g in whole[1]] for q in whole[0]]


@cache
def _exact_scores_of(
    queries: bytes, gallery: bytes, width: int, dtype: str
) -> list[list[Fraction]]:
    """The same of the memory of arrays: many tests rank the same rows."""
    rows = [np.frombuffer(memory, dtype) for memory in (queries, gallery)]
    return exact_scores(rows[0].reshape(-1, width), rows[1].reshape(-1, width))


def exact_ranks(
    queries: Floats, gallery: Floats, q_groups: Ints, g_groups: Ints
) -> list[int]:
    ranks = []
    scores = _exact_scores_of(
        queries.tobytes(), gallery.tobytes(), queries.shape[1], queries.dtype.str
    )
    for row, group in zip(scores, q_groups, strict=True):
        best = max(
            score for score, other in zip(row, g_groups, strict=True) if other == group
        )
        ranks.append(
            1
            + sum(
                score >= best
                for score, other in zip(row, g_groups, strict=True)
                if other != group
            )
        )
    return ranks


def loop_ranks(
    queries: Floats, gallery: Floats, q_groups: Ints, g_groups: Ints
) -> list[int]:
    """float64, one pair at a time; a gap of 1e-13 is not told apart."""
    ranks = []
    for query, group in zip(queries.astype(float), q_groups, strict=True):
        row = np.array([float((query * item).sum()) for item in gallery.astype(float)])
        ranks.append(
            1
            + int(
                (row[g_groups != group] >= row[g_groups == group].max() - 1e-13).sum()
            )
        )
    return ranks


def unit(rows: NDArray[np.float64]) -> Floats:
    unrounded: NDArray[np.float64] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unrounded.astype(np.float32)


def normal(seed: int, *shape: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).standard_normal(shape)


def near_ties(seed: int) -> tuple[Floats, Floats]:
    """Gallery rows that differ in the last bits, far below what float32 products can tell apart."""
    base = normal(seed, 1, 64)
    return unit(base + 0.1 * normal(seed + 1, 30, 64)), unit(
        base + 1e-7 * normal(seed + 2, 40, 64)
    )


def common_component(seed: int) -> tuple[Floats, Floats]:
    base = 50 * normal(seed, 1, 64)
    return unit(base + normal(seed + 1, 30, 64)), unit(base + normal(seed + 2, 40, 64))


def duplicates(seed: int) -> tuple[Floats, Floats]:
    rows = unit(normal(seed, 8, 64))
    picks = np.random.default_rng(seed).integers(0, 8, 70)
    return rows[picks[:30]], rows[picks[30:]]


def plain(seed: int) -> tuple[Floats, Floats]:
    return unit(normal(seed, 30, 64)), unit(normal(seed + 1, 40, 64))


def wild_norms(seed: int) -> tuple[Floats, Floats]:
    queries, gallery = plain(seed)
    scales = np.float32(2.0) ** np.random.default_rng(seed).integers(
        -40, 40, (70, 1)
    ).astype(np.float32)
    return queries * scales[:30], gallery * scales[30:]


INPUTS = [plain, near_ties, common_component, duplicates, wild_norms]


@pytest.mark.parametrize("make", INPUTS)
@pytest.mark.parametrize("tile", [1, 7, 1024])
def test_ranks_are_those_of_the_exact_dot_products(
    make: Callable[[int], tuple[Floats, Floats]], tile: int
) -> None:
    queries, gallery = make(5)
    q_groups = np.arange(30) % 9
    g_groups = np.arange(40) % 9
    expected = exact_ranks(queries, gallery, q_groups, g_groups)
    assert (
        positive_ranks(queries, gallery, q_groups, g_groups, tile=tile).tolist()
        == expected
    )


@pytest.mark.parametrize("make", [plain, near_ties, common_component, duplicates])
def test_ranks_are_those_of_a_float64_loop(
    make: Callable[[int], tuple[Floats, Floats]],
) -> None:
    for seed in range(10, 40, 3):
        queries, gallery = make(seed)
        groups = np.random.default_rng(seed).permutation(np.arange(70) % 12)
        q_groups = groups[:30]
        g_groups = np.concatenate([groups[30:58], np.arange(12)])
        expected = loop_ranks(queries, gallery, q_groups, g_groups)
        assert (
            positive_ranks(queries, gallery, q_groups, g_groups, tile=16).tolist()
            == expected
        )


values = st.floats(-2, 2, width=32) | st.sampled_from(
    [0.0, 1.0, 1 + 2**-23, 2.0**-140, -(2.0**-126)]
)


@given(st.data(), st.integers(1, 4), st.integers(1, 5), st.integers(1, 6))
def test_small_cases_agree_with_fractions(
    data: st.DataObject, width: int, n: int, extra: int
) -> None:
    row = st.lists(values, min_size=width, max_size=width).filter(any)
    drawn = data.draw(st.lists(row, min_size=2 * n + extra, max_size=2 * n + extra))
    rows = np.array(drawn, dtype=np.float32)
    groups = np.arange(n + extra)
    ranks = positive_ranks(
        rows[:n],
        rows[n:],
        groups[:n],
        groups,
        tile=data.draw(st.sampled_from([1, 2, 64])),
    )
    exact = exact_scores(rows[:n], rows[n:])
    for i, rank in enumerate(ranks):
        norms = max(Fraction(float(np.linalg.norm(g.astype(float)))) for g in rows[n:])
        tie = (
            Fraction(float(np.linalg.norm(rows[i].astype(float))))
            * norms
            * Fraction(1, 2**47)
        )
        others = exact[i][:i] + exact[i][i + 1 :]
        # Never below the exact rank; above it only by what float64 cannot tell apart.
        assert (
            1 + sum(s >= exact[i][i] for s in others)
            <= rank
            <= 1 + sum(s >= exact[i][i] - tie for s in others)
        )


@pytest.mark.parametrize("spread", [0.0, 1e-12])
def test_a_collapsed_encoder_ranks_last(spread: float) -> None:
    rows = unit(np.ones((300, 32)) + spread * normal(0, 300, 32))
    assert (
        positive_ranks(rows, rows, np.arange(300), np.arange(300), tile=64) == 300
    ).all()


def test_a_difference_that_only_float64_sees_decides() -> None:
    query = np.array([[1, 1]], dtype=np.float32)
    better = [1, 2.0**-40]
    worse = [1, 2.0**-41]
    gallery = np.array([better, worse], dtype=np.float32)
    assert positive_ranks(query, gallery, [0], [0, 1]).tolist() == [1]
    assert positive_ranks(query, gallery, [1], [0, 1]).tolist() == [2]


def test_sums_that_overflow_float32_are_ranked_right() -> None:
    queries = np.array([[1e30, 1e30]], dtype=np.float32)
    gallery = np.array([[3e30, -3e30], [2e30, -1e30], [-1e30, 3e30]], dtype=np.float32)
    assert positive_ranks(queries, gallery, [1], [0, 1, 2]).tolist() == [2]


def test_the_best_of_several_right_items_counts() -> None:
    gallery = np.array([[0.1, 1], [0.5, 1], [0.9, 1]], dtype=np.float32)
    query = np.array([[1, 0]], dtype=np.float32)
    assert positive_ranks(query, gallery, [7], [7, 3, 7]).tolist() == [1]


def test_a_group_larger_than_a_tile_is_searched_in_full() -> None:
    queries, gallery = plain(3)
    q_groups = np.zeros(30, dtype=np.int64)
    g_groups = (np.arange(40) % 10 == 9).astype(np.int64)
    expected = exact_ranks(queries, gallery, q_groups, g_groups)
    assert (
        positive_ranks(queries, gallery, q_groups, g_groups, tile=4).tolist()
        == expected
    )


def test_tensors_and_arrays_give_the_same_and_stay_as_they_are() -> None:
    queries, gallery = plain(1)
    groups = np.arange(40) % 9
    before = gallery.copy()
    gallery.flags.writeable = False
    tensors = (
        torch.from_numpy(queries).requires_grad_(),
        torch.from_numpy(before),
        torch.from_numpy(groups),
    )
    ranks = positive_ranks(queries, gallery, groups[:30], groups)
    assert (
        positive_ranks(tensors[0], tensors[1], tensors[2][:30], tensors[2]) == ranks
    ).all()
    assert (gallery == before).all()
    assert ranks.dtype == np.int64


def test_low_precision_settings_of_the_caller_do_not_reach_the_ranks() -> None:
    queries, gallery = common_component(2)
    groups = np.arange(40) % 9
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        with torch.autocast("cpu", dtype=torch.bfloat16):
            ranks = positive_ranks(queries, gallery, groups[:30], groups)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
    assert ranks.tolist() == exact_ranks(queries, gallery, groups[:30], groups)


@pytest.mark.parametrize("collapsed", [False, True])
def test_no_more_than_tiles_is_ever_held(collapsed: bool) -> None:
    largest = 0  # elements of any tensor that is made on the way
    rows = unit(np.ones((2000, 8)) if collapsed else normal(0, 2000, 8))

    class Watch(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            nonlocal largest
            result = func(*args, **(kwargs or {}))
            if isinstance(result, torch.Tensor):
                largest = max(largest, result.numel())
            return result

    with Watch():
        positive_ranks(rows, rows, np.arange(2000), np.arange(2000), tile=128)
    assert largest <= max(rows.size, 8 * 128 * 128)


def test_a_custom_similarity_is_ranked_by_its_values() -> None:
    queries, gallery = plain(4)
    groups = np.arange(40) % 9

    def distance(q: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        return -torch.cdist(q.double(), g.double()).round(decimals=1)

    scores = distance(torch.from_numpy(queries), torch.from_numpy(gallery)).numpy()
    right = groups[:30, None] == groups[None]
    best = np.where(right, scores, -np.inf).max(axis=1, keepdims=True)
    expected = 1 + ((scores >= best) & ~right).sum(axis=1)
    for tile in (3, 1024):
        assert (
            positive_ranks(
                queries, gallery, groups[:30], groups, similarity=distance, tile=tile
            )
            == expected
        ).all()


@pytest.mark.parametrize("make", INPUTS)
@pytest.mark.parametrize("tile", [4, 1024])
@pytest.mark.parametrize("k", [1, 5, 40])
def test_top_k_is_ordered_by_score_then_index(
    make: Callable[[int], tuple[Floats, Floats]], tile: int, k: int
) -> None:
    queries, gallery = make(6)
    indices, scores = top_k(queries, gallery, k, tile=tile)
    for i, row in enumerate(exact_scores(queries, gallery)):
        assert indices[i].tolist() == sorted(range(40), key=lambda j: (-row[j], j))[:k]
        assert scores[i] == pytest.approx(
            [float(row[j]) for j in indices[i]], rel=1e-10
        )


def test_top_k_of_a_collapsed_encoder_goes_by_index() -> None:
    rows = unit(np.full((50, 24), 0.3))
    assert (top_k(rows, rows, 10, tile=16)[0] == np.arange(10)).all()


def test_top_k_takes_a_custom_similarity() -> None:
    queries, gallery = plain(4)
    negated = top_k(queries, gallery, 3, similarity=lambda q, g: -(q @ g.T))
    assert (negated[0] == top_k(-queries, gallery, 3)[0]).all()


ROWS = np.eye(3, dtype=np.float32)
NAN = ROWS.copy()
ZERO = ROWS.copy()
NAN[1, 1] = np.nan
ZERO[2] = 0
N = [0, 1, 2]
MISUSES: dict[str, Callable[[], object]] = {
    "queries, got NaN or infinity in row=1": lambda: positive_ranks(NAN, ROWS, N, N),
    "gallery with a direction, got zeros in row=2": lambda: positive_ranks(
        ROWS, ZERO, N, N
    ),
    "gallery with a direction": lambda: top_k(ROWS, ZERO, 1),
    "none for 1 of 3, first row=1 with group=7": lambda: positive_ranks(
        ROWS, ROWS, [0, 7, 2], N
    ),
    "dtype=torch.float64": lambda: positive_ranks(
        torch.eye(3, dtype=torch.float64), ROWS, N, N
    ),
    "same width": lambda: positive_ranks(ROWS[:, :2], ROWS, N, N),
    r"query_groups of shape \(3,\)": lambda: positive_ranks(ROWS, ROWS, [0, 1], N),
    "whole numbers": lambda: positive_ranks(ROWS, ROWS, N, np.array([0.0, 1.0, 2.0])),
    r"shape=\(3,\), dtype=torch.float32": lambda: positive_ranks(ROWS[0], ROWS, N, N),
    "tile=0": lambda: positive_ranks(ROWS, ROWS, N, N, tile=0),
    "k=4": lambda: top_k(ROWS, ROWS, 4),
    "k=0": lambda: top_k(ROWS, ROWS, 0),
    r"scores of shape \(3, 3\)": lambda: positive_ranks(
        ROWS, ROWS, N, N, similarity=lambda q, _: q[:, 0]
    ),
    "got NaN. Check": lambda: positive_ranks(
        ROWS, ROWS, N, N, similarity=lambda q, g: q @ g.T * torch.nan
    ),
}


@pytest.mark.parametrize("message", MISUSES)
def test_misuse_says_what_was_got(message: str) -> None:
    with pytest.raises(RankingError, match=message):
        MISUSES[message]()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("make", INPUTS)
def test_cuda_gives_the_same_ranks(
    make: Callable[[int], tuple[Floats, Floats]],
) -> None:
    queries, gallery = make(8)
    groups = np.arange(40) % 9
    device_rows = [torch.from_numpy(rows).cuda() for rows in (queries, gallery)]
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        ranks = positive_ranks(device_rows[0], device_rows[1], groups[:30], groups)
    finally:
        torch.set_float32_matmul_precision(before)
    assert (ranks == positive_ranks(queries, gallery, groups[:30], groups)).all()
    for on_device, on_host in zip(
        top_k(device_rows[0], device_rows[1], 5),
        top_k(queries, gallery, 5),
        strict=True,
    ):
        assert (on_device == on_host).all()
