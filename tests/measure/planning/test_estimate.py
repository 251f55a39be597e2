"""Seconds and disk of a sweep, against what can be reckoned by hand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.measure.planning.constants import (
    Constants,
    FileCost,
    RankCost,
)
from pytest_retrieval_robust.measure.planning.estimate import (
    Estimate,
    Workers,
    estimate,
)
from pytest_retrieval_robust.measure.planning.rates import Rate, typed_rate
from pytest_retrieval_robust.measure.planning.work import SweepWork

CONSTANTS = Constants("a processor", "a command", (), (), RankCost(1e-12, 0.0))
RATE = typed_rate(100.0)
FILE = FileCost("jpg 1 x 1", 1_000_000, 0.04, 0.01)
WORK = SweepWork("a model", "a data set", 6400, 1000, 10, 512, 64)


def planned(
    workers: Workers,
    rate: Rate | None = RATE,
    file: FileCost | None = FILE,
) -> Estimate:
    return estimate(WORK, workers, rate, file, CONSTANTS)


def test_one_processor_decodes_and_then_encodes() -> None:
    one = planned(Workers(1, 2))
    assert one.encode_seconds == 6400 * 10 / 100
    assert one.decode_seconds == 6400 * 0.05 / 2
    assert one.sweep_seconds == one.encode_seconds + one.decode_seconds
    assert one.deciding == "encoding"


def test_a_device_encodes_while_others_decode() -> None:
    one = planned(Workers(1, 2, "cuda"), typed_rate(1000.0))
    assert one.sweep_seconds == one.decode_seconds == 160.0
    assert one.deciding == "decoding"


def test_the_slowest_worker_has_a_whole_batch_more() -> None:
    # 100 batches among 30 workers: four for some of them.
    shared = planned(Workers(30, 2, "cuda"))
    assert shared.encode_seconds == 4 * 64 * 10 / 100


def test_a_slow_disk_decides() -> None:
    slow = planned(Workers(64, 16, "cuda", disk_bytes_per_second=1e7))
    assert slow.sweep_seconds == 640.0
    assert slow.images_from_disk_per_second == 10.0
    assert slow.deciding == "the disk"


def test_what_is_not_known_stays_unknown() -> None:
    unknown = planned(Workers(4, 2), rate=None)
    assert unknown.sweep_seconds is None
    assert unknown.total_seconds is None
    assert unknown.images_from_disk_per_second is None
    assert unknown.deciding == "not known"


@given(
    st.integers(1, 10_000),
    st.integers(1, 20),
    st.integers(1, 300),
    st.integers(1, 500),
)
def test_more_workers_are_never_slower_nor_better_than_their_share(
    images: int, cells: int, batch_size: int, workers: int
) -> None:
    work = SweepWork("a model", "a data set", images, images, cells, 8, batch_size)

    def seconds(count: int) -> float:
        rate = typed_rate(10.0)
        plan = estimate(work, Workers(count, 1), rate, FILE, CONSTANTS)
        assert plan.sweep_seconds is not None
        return plan.sweep_seconds

    alone = seconds(1)
    assert seconds(workers + 1) <= seconds(workers) <= alone
    assert seconds(workers) >= alone / workers * (1 - 1e-9)
