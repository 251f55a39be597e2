"""Ranks on a device: the same numbers, without waiting for it at each tile."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import torch

from pytest_retrieval_robust.retrieval.ranking import (
    _ranks,
    _unfused,
    positive_ranks_both,
    top_k,
)
from pytest_retrieval_robust.retrieval.ranking._checks import Request
from pytest_retrieval_robust.retrieval.ranking._kernels import Engine
from pytest_retrieval_robust.retrieval.ranking._precisions import (
    IN_FLOAT16,
    IN_FLOAT32,
    Precision,
    has_float16,
)
from pytest_retrieval_robust.retrieval.ranking._sizes import Sizes, sizes_for

from ..emulated_device import emulated
from .test_ranking import INPUTS, Floats, exact_ranks, normal, unit

CUDA = "cuda:0"
FILTERS = {"float32": (IN_FLOAT32,), "float16": (IN_FLOAT16, IN_FLOAT32)}


@pytest.mark.parametrize("device", [CUDA, "mps"])
@pytest.mark.parametrize("make", INPUTS)
def test_a_device_gives_the_exact_ranks(make, device: str) -> None:  # type: ignore[no-untyped-def]
    queries, gallery = make(8)
    groups = np.arange(40) % 9
    with emulated(device):
        ranks = positive_ranks_both(
            torch.from_numpy(queries).to(device),
            torch.from_numpy(gallery).to(device),
            groups[:30],
            groups,
        )
    assert ranks[0].tolist() == exact_ranks(queries, gallery, groups[:30], groups)
    assert ranks[1].tolist() == exact_ranks(gallery, queries, groups, groups[:30])


@pytest.mark.parametrize("filters", FILTERS)
@pytest.mark.parametrize("group", [1, 4])
def test_the_host_waits_once_for_a_group_of_tiles(filters: str, group: int) -> None:
    rows = unit(normal(0, 200, 32))
    constants = set()
    for tile in (4, 8, 16):
        sizes = Sizes(tile, 2 * tile, 4 * tile, tile, piece=16, group=group, width=8)
        waits = waits_of(rows[:120], rows, sizes, FILTERS[filters])
        groups_of_a_column = math.ceil(math.ceil(120 / sizes.rows) / group)
        looks = math.ceil(200 / sizes.columns) * groups_of_a_column
        constants.add(waits - looks)
    # What is left does not depend on the number of tiles.
    assert len(constants) == 1
    assert constants.pop() <= 40


@pytest.mark.parametrize("filters", FILTERS)
def test_pairs_in_doubt_are_not_waited_for(filters: str) -> None:
    base = normal(0, 1, 32)
    near = unit(base + 1e-7 * normal(1, 200, 32))
    apart = unit(normal(1, 200, 32))
    sizes = Sizes(8, 16, 32, 8, piece=16, group=2, width=8)
    for room in (1, 10**9):
        # Much room, so that all of a tile may be in doubt, or so little that float64
        # decides.
        waits = [
            waits_of(rows[:120], rows, sizes, FILTERS[filters], pairs_per_doubt=room)
            for rows in (near, apart)
        ]
        tries = len(FILTERS[filters])
        looks = math.ceil(math.ceil(120 / sizes.rows) / 2) * math.ceil(200 / 32)
        assert waits[0] - waits[1] <= tries * looks


def waits_of(
    queries: Floats,
    gallery: Floats,
    sizes: Sizes,
    filters: tuple[Precision, ...],
    pairs_per_doubt: int = 4,
) -> int:
    groups = np.arange(len(gallery)) % len(queries)
    with emulated(CUDA) as device:
        on_device = [torch.from_numpy(rows).to(CUDA) for rows in (queries, gallery)]
        before = len(device.waits)
        ranks = _ranks(
            Request(on_device[0], on_device[1], groups[: len(queries)], groups),
            both_directions=True,
            forced=filters,
            engine=Engine(sizes, _unfused, pairs_per_doubt=pairs_per_doubt),
        )
        waits = Counter(map(str, device.waits[before:]))
    expected = positive_ranks_both(queries, gallery, groups[: len(queries)], groups)
    for own, others in zip(ranks, expected, strict=True):
        assert own.tolist() == others.tolist()
    return waits.total()


def test_memory_shrinks_with_the_tile() -> None:
    device = torch.device(CUDA)
    usual = sizes_for(device, 1024, 512)
    assert (usual.rows, usual.columns) == (8192, 16384)
    for dimension in (64, 512, 4096):
        for tile in (2048, 1024, 256, 64, 16):
            sizes = sizes_for(device, tile, dimension)
            # float32 scores, and float64 rows with the float32 rows they are made from.
            scores = 4 * sizes.scores
            rows = 16 * sizes.piece * dimension
            assert scores <= 2**29
            assert rows <= max(scores / 2, 16 * 256 * dimension)
            assert sizes.columns % sizes.tile == 0
            assert sizes.group * sizes.scores < 2**31


def test_old_cards_and_other_devices_filter_in_float32() -> None:
    with emulated(CUDA):
        # The emulated device has no product of float16 that comes back as float32.
        assert not has_float16(torch.device(CUDA))
    assert not has_float16(torch.device("cpu"))


def test_best_answers_on_a_device_are_the_processors() -> None:
    queries = unit(normal(0, 30, 16))
    gallery = unit(normal(1, 40, 16))
    expected = top_k(queries, gallery, 5, tile=8)
    with emulated(CUDA):
        items, scores = top_k(
            torch.from_numpy(queries).to(CUDA),
            torch.from_numpy(gallery).to(CUDA),
            5,
            tile=8,
        )
    assert items.tolist() == expected[0].tolist()
    assert scores.tolist() == expected[1].tolist()
