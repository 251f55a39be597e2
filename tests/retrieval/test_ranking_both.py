"""Both directions in one pass, by each filter and each set of loops, against naive references."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.core.errors import RankingError
from pytest_retrieval_robust.retrieval.ranking import (
    _plain,
    _ranks,
    _unfused,
    positive_ranks,
    positive_ranks_both,
)
from pytest_retrieval_robust.retrieval.ranking._checks import Request
from pytest_retrieval_robust.retrieval.ranking._exact import Side, plain_sums
from pytest_retrieval_robust.retrieval.ranking._filter import Filter, make_filter
from pytest_retrieval_robust.retrieval.ranking._kernels import Engine, Kernels, compiled
from pytest_retrieval_robust.retrieval.ranking._means import take_means
from pytest_retrieval_robust.retrieval.ranking._precisions import (
    IN_BFLOAT16,
    IN_FLOAT16,
    IN_FLOAT32,
    Precision,
)
from pytest_retrieval_robust.retrieval.ranking._sizes import Sizes, sizes_for
from pytest_retrieval_robust.strategies import unit_rows

from .collecting import HOST, check_collect
from .test_ranking import INPUTS, Floats, exact_ranks, exact_scores, normal, unit

FILTERS: dict[str, tuple[Precision, ...]] = {
    "float32": (IN_FLOAT32,),
    "bfloat16": (IN_BFLOAT16, IN_FLOAT32),
    "float16": (IN_FLOAT16, IN_FLOAT32),
}
KERNELS: dict[str, Kernels | None] = {"plain": _plain, "compiled": compiled()}


def sizes_of_a_device(tile: int, group: int = 2) -> Sizes:
    """A GPU's, of a few rows: their order, but neither their size nor their number."""
    return Sizes(tile, 2 * tile, 4 * tile, tile, piece=16, group=group, width=8)


def engines(tile: int) -> dict[str, Engine]:
    """Each way of counting, with sizes that follow from the tile."""
    sizes = sizes_for(HOST, tile, 64)
    queued = sizes_of_a_device(tile)
    ways = {
        name: Engine(sizes, kernels) for name, kernels in KERNELS.items() if kernels
    }
    ways["unfused"] = Engine(queued, _unfused)
    # So little room that filters fail, and others take over.
    ways["little room"] = Engine(queued, _unfused, pairs_per_doubt=10**9)
    return ways


@pytest.mark.parametrize("filters", FILTERS)
@pytest.mark.parametrize("make", INPUTS)
@pytest.mark.parametrize("tile", [7, 1024])
@pytest.mark.parametrize("way", engines(1))
def test_both_directions_are_those_of_the_exact_dot_products(
    make: Callable[[int], tuple[Floats, Floats]],
    tile: int,
    filters: str,
    way: str,
) -> None:
    queries, gallery = make(5)
    q_groups = np.arange(30) % 9
    g_groups = np.arange(40) % 9
    ranks = _ranks(
        Request(
            queries,
            gallery,
            q_groups,
            g_groups,
            None,
            tile,
        ),
        both_directions=True,
        forced=FILTERS[filters],
        engine=engines(tile)[way],
    )
    assert ranks[0].tolist() == exact_ranks(queries, gallery, q_groups, g_groups)
    assert ranks[1].tolist() == exact_ranks(gallery, queries, g_groups, q_groups)


values = st.floats(-2, 2, width=32) | st.sampled_from(
    [0.0, 1.0, 1 + 2**-23, 2.0**-140, -(2.0**-126), 2.0**60]
)


@given(
    st.data(),
    st.integers(1, 4),
    st.integers(1, 5),
    st.integers(0, 4),
    st.sampled_from(list(FILTERS)),
    st.sampled_from(list(engines(1))),
)
def test_small_cases_agree_with_fractions(
    data: st.DataObject, width: int, n: int, extra: int, filters: str, way: str
) -> None:
    row = st.lists(values, min_size=width, max_size=width).filter(any)
    drawn = data.draw(st.lists(row, min_size=2 * n + extra, max_size=2 * n + extra))
    rows = np.array(drawn, dtype=np.float32)
    groups = np.arange(n + extra) % n
    tile = data.draw(st.sampled_from([1, 2, 64]))
    both = _ranks(
        Request(
            rows[:n],
            rows[n:],
            groups[:n],
            groups,
            None,
            tile,
        ),
        both_directions=True,
        forced=FILTERS[filters],
        engine=engines(tile)[way],
    )
    exact = exact_scores(rows[:n], rows[n:])
    lengths = [Fraction(float(np.linalg.norm(row.astype(float)))) for row in rows]
    ties = [
        [one * other * Fraction(1, 2**47) for other in lengths[n:]]
        for one in lengths[:n]
    ]
    scores = [exact, [list(column) for column in zip(*exact, strict=True)]]
    margins = [ties, [list(column) for column in zip(*ties, strict=True)]]
    sides = ((groups[:n], groups), (groups, groups[:n]))
    for ranks, table, margin, (own, others) in zip(
        both, scores, margins, sides, strict=True
    ):
        for i, rank in enumerate(ranks):
            best = max(table[i][j] for j in range(len(others)) if others[j] == own[i])
            wrong = [j for j in range(len(others)) if others[j] != own[i]]
            tie = max(margin[i])
            # Never below the exact rank; above it only by what float64 cannot tell apart.
            assert 1 + sum(table[i][j] >= best for j in wrong) <= rank
            assert rank <= 1 + sum(table[i][j] >= best - tie for j in wrong)


@given(
    st.integers(0, 2**16),
    st.sampled_from([0.0, 1.0, 10.0, 1000.0]),
    st.sampled_from([0.0, 1e-7, 1e-5]),
    st.sampled_from(list(FILTERS)),
    st.sampled_from(list(engines(1))),
)
def test_a_cone_of_near_ties_is_ranked_as_float64_does(
    seed: int, common: float, spread: float, filters: str, way: str
) -> None:
    rows = unit_rows(60, 16, repeated=30, spread=spread, common=common, seed=seed)
    order = np.random.default_rng(seed).permutation(60)
    queries = rows[order[:20]]
    gallery = rows
    groups = np.arange(60) % 20
    ranks = _ranks(
        Request(
            queries,
            gallery,
            groups[:20],
            groups,
            None,
            16,
        ),
        both_directions=True,
        forced=FILTERS[filters],
        engine=engines(16)[way],
    )
    assert ranks[0].tolist() == exact_ranks(queries, gallery, groups[:20], groups)
    assert ranks[1].tolist() == exact_ranks(gallery, queries, groups, groups[:20])


@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize("precision", [IN_FLOAT32, IN_BFLOAT16, IN_FLOAT16])
@pytest.mark.parametrize("common", [0.0, 4.0])
def test_a_filter_is_never_surely_wrong(
    common: float, precision: Precision, back: bool
) -> None:
    for seed in range(3):
        queries = unit_rows(50, 96, common=common, seed=seed, library="torch")
        gallery = unit_rows(
            70, 96, repeated=30, spread=1e-4, common=common, seed=seed, library="torch"
        )
        check_never_surely_wrong(queries, gallery, precision, back)


@pytest.mark.parametrize(("precision", "bits"), [(IN_BFLOAT16, 8), (IN_FLOAT16, 11)])
@pytest.mark.parametrize("back", [False, True])
def test_the_bound_holds_where_every_rounding_goes_the_same_way(
    back: bool, precision: Precision, bits: int
) -> None:
    # Halves of a unit in the last place: the first is rounded down and the second up,
    # so that what the queries lose lies along the gallery, and the other way, while the
    # scores are small. With their negatives, the means are zero.
    down, up = (torch.full((48,), 1 + half * 2.0**-bits) for half in (1, 3))
    query = torch.cat([down, up])
    item = torch.cat([down, -up])
    check_never_surely_wrong(
        torch.stack([query, -query]), torch.stack([item, -item]), precision, back
    )


def check_never_surely_wrong(
    queries: torch.Tensor, gallery: torch.Tensor, precision: Precision, back: bool
) -> None:
    filtered, sides = _filter(queries, gallery, precision)
    table = _product(filtered)
    exact = queries.double() @ gallery.double().T
    # Each pair in turn is at the floor: the hardest place, and far more of them than
    # ranks would ask for.
    for other in range(len(sides[0 if back else 1])):
        floors = exact[other] if back else exact[:, other]
        everything = filtered.against([slice(None)], back)
        limits = filtered.thresholds(floors, slice(None), everything, back)[0]
        low, high, floor = (
            one if back else one[:, None] for one in (limits.low, limits.high, floors)
        )
        assert not ((table < low) & (exact >= floor)).any()
        assert not ((table > high) & (exact < floor)).any()


@pytest.mark.parametrize("precision", [IN_FLOAT32, IN_BFLOAT16, IN_FLOAT16])
@pytest.mark.parametrize("dimension", [512, 768, 1000])
def test_scores_err_by_no_more_than_the_bound_says(
    dimension: int, precision: Precision
) -> None:
    for norm in (2.0**-20, 1.0, 2.0**19):
        queries, gallery = cancelling(dimension)
        queries *= norm
        filtered, _ = _filter(queries, gallery, precision)
        scale = filtered.queries.scale * filtered.gallery.scale
        table = _product(filtered).double() / scale + filtered.shared
        exact = queries.double() @ gallery.double().T
        bounds = filtered.against([slice(None)], back=False).of_rows(
            filtered.queries.bounds
        )[0]
        if precision is IN_BFLOAT16:
            # The result itself is rounded to 8 bits, which thresholds allow for.
            bounds = bounds + 2.0**-8 * table.abs().amax(1)
        assert float(((table - exact).abs() / bounds[:, None]).max()) <= 1


def cancelling(dimension: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows whose numbers lie half-way between two of few bits, and whose large products
    cancel, so that what is lost is all that is left.
    """
    halves = 1 + np.random.default_rng(0).choice([1, 3], dimension // 2) * 2.0**-12
    apart = 1 + normal(1, 20, dimension // 2) * 2.0**-9
    queries = np.concatenate([halves * apart, halves * apart], 1)
    gallery = np.concatenate([halves * apart, -halves * apart[::-1]], 1)
    # Half of them the other way, so that there is no mean to take off.
    sides = [np.concatenate([rows, -rows]) for rows in (queries, gallery)]
    scaled = [unit(rows) for rows in sides]
    return torch.from_numpy(scaled[0]), torch.from_numpy(scaled[1])


def test_sums_of_products_are_not_shortened_whatever_the_caller_has_set() -> None:
    cuda = torch.backends.cuda.matmul
    names = [
        "allow_fp16_reduced_precision_reduction",
        "allow_bf16_reduced_precision_reduction",
    ]
    if hasattr(cuda, "allow_fp16_accumulation"):  # not in older releases of torch
        names.append("allow_fp16_accumulation")
    before = [getattr(cuda, name) for name in names]
    try:
        for name in names:
            setattr(cuda, name, True)
        with plain_sums(HOST):
            assert not any(getattr(cuda, name) for name in names)
        assert all(getattr(cuda, name) for name in names)
    finally:
        for name, value in zip(names, before, strict=True):
            setattr(cuda, name, value)


def test_a_common_component_leaves_the_band_of_bfloat16_narrow() -> None:
    widths = []
    for common in (0.0, 3.0):  # mean cosines 0 and 0.9 at this width of rows
        rows = unit(normal(1, 400, 64) / 8 + common * unit(normal(2, 1, 64)))
        queries = torch.from_numpy(rows[:200])
        gallery = torch.from_numpy(rows[200:])
        filtered, _ = _filter(queries, gallery, IN_BFLOAT16)
        scores = queries @ gallery.T
        everything = filtered.against([slice(None)], back=False)
        limits = filtered.thresholds(
            scores.diagonal().double(), slice(None), everything, back=False
        )
        widths.append(float((limits.high - limits.low).mean() / scores.std()))
    assert widths[1] < 1.5 * widths[0]


@pytest.mark.parametrize("precision", [IN_FLOAT32, IN_FLOAT16])
@pytest.mark.parametrize("dimension", [1, 5, 8, 61])
def test_rows_are_filled_up_to_the_next_multiple_that_tensor_cores_want(
    dimension: int, precision: Precision
) -> None:
    rows = torch.from_numpy(unit(1 + normal(0, 6, dimension)))
    filtered, _ = _filter(rows[:4], rows, precision)
    for factor, count in ((filtered.queries, 4), (filtered.gallery, 6)):
        matrix = factor.matrix(slice(None))
        assert matrix.shape == (count, factor.width)
        assert factor.width % 8 == 0
        assert 0 <= factor.width - dimension - 2 * precision.offset_parts < 8


def _filter(
    queries: torch.Tensor, gallery: torch.Tensor, precision: Precision
) -> tuple[Filter, tuple[Side, Side]]:
    left, right = take_means(_plain, queries, gallery, 256)
    groups = torch.zeros(max(len(queries), len(gallery)), dtype=torch.int64)
    sides = (
        Side(queries, left.norms, groups[: len(queries)]),
        Side(gallery, right.norms, groups[: len(gallery)]),
    )
    made = make_filter(
        *sides, left.means, right.means, precision, sizes_of_a_device(16)
    )
    assert made is not None
    return made, sides


def _product(filtered: Filter) -> torch.Tensor:
    queries = filtered.queries.matrix(slice(None))
    gallery = filtered.gallery.matrix(slice(None))
    with plain_sums(HOST):
        return filtered.multiply(
            queries, gallery, torch.empty(len(queries), len(gallery))
        )


@pytest.mark.parametrize("filters", FILTERS)
@pytest.mark.parametrize("way", engines(1))
def test_large_groups_and_many_partners_are_counted(filters: str, way: str) -> None:
    rows = unit(normal(0, 150, 24))
    rng = np.random.default_rng(0)
    q_groups = rng.integers(0, 2, 70)
    g_groups = np.append(rng.integers(0, 2, 78), [0, 1])
    ranks = _ranks(
        Request(
            rows[:70],
            rows[70:],
            q_groups,
            g_groups,
            None,
            16,
        ),
        both_directions=True,
        forced=FILTERS[filters],
        engine=engines(16)[way],
    )
    assert ranks[0].tolist() == exact_ranks(rows[:70], rows[70:], q_groups, g_groups)
    assert ranks[1].tolist() == exact_ranks(rows[70:], rows[:70], g_groups, q_groups)


def test_one_direction_takes_gallery_items_that_nobody_asks_for() -> None:
    rows = unit(normal(0, 40, 16))
    queries = rows[:10] + rows[10:20]
    groups = np.arange(40)
    assert positive_ranks(queries, rows, groups[:10], groups).tolist() == exact_ranks(
        queries, rows, groups[:10], groups
    )


@pytest.mark.parametrize(
    ("left", "right", "message"),
    [
        (
            [0, 1, 9],
            [0, 1, 2],
            (
                "right gallery item for each query, got none for 1 of 3, first row=2"
                " with group=9"
            ),
        ),
        (
            [0, 1, 1],
            [0, 1, 2],
            (
                "right query for each gallery item, got none for 1 of 3, first row=2"
                " with group=2"
            ),
        ),
    ],
)
def test_both_sides_must_be_answerable(
    left: list[int], right: list[int], message: str
) -> None:
    with pytest.raises(RankingError, match=message):
        positive_ranks_both(
            np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32), left, right
        )


@pytest.mark.parametrize("tile", [1, 5, 1024])
@pytest.mark.parametrize(
    "groups", [np.arange(40) % 9, np.arange(40) // 39, np.zeros(40, dtype=np.int64)]
)
def test_a_custom_scorer_sees_each_pair_once_for_both_directions(
    groups: np.ndarray, tile: int
) -> None:
    queries = torch.from_numpy(unit(normal(0, 40, 8)))
    gallery = torch.from_numpy(unit(normal(1, 40, 8)))
    seen: list[tuple[int, int]] = []
    numbers = {
        tuple(row): i
        for rows in (queries, gallery)
        for i, row in enumerate(rows.tolist())
    }

    def distance(q: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        assert max(len(q), len(g)) <= tile
        seen.extend(
            (numbers[tuple(one)], numbers[tuple(other)])
            for one in q.tolist()
            for other in g.tolist()
        )
        return -torch.cdist(q.double(), g.double()).round(decimals=1)

    both = positive_ranks_both(
        queries, gallery, groups, groups, similarity=distance, tile=tile
    )
    assert sorted(seen) == [(i, j) for i in range(40) for j in range(40)]
    scores = distance_table(queries, gallery)
    right = groups[:, None] == groups
    for ranks, table in zip(both, (scores, scores.T), strict=True):
        best = np.where(right, table, -np.inf).max(1, keepdims=True)
        assert ranks.tolist() == (1 + ((table >= best) & ~right).sum(1)).tolist()


def distance_table(queries: torch.Tensor, gallery: torch.Tensor) -> np.ndarray:
    table: np.ndarray = (
        -torch.cdist(queries.double(), gallery.double()).round(decimals=1).numpy()
    )
    return table


@pytest.mark.parametrize("name", [*KERNELS, "unfused"])
def test_kernels_collect_what_is_there(name: str) -> None:
    kernels: Kernels | None = _unfused if name == "unfused" else KERNELS[name]
    if kernels is None:
        pytest.skip("numba is not installed")
    check_collect(kernels, np.random.default_rng(0))
