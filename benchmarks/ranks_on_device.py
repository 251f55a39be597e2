"""Exact ranks on a GPU at the size of MIMIC-CXR.

`python -m benchmarks.ranks --device cuda`, or `measure` from another benchmark.

377,110 images and 227,835 reports of 512 numbers, made on the device: unit rows around a
mean that all share; the images of a study are near its report. Times are of the whole
call, from rows on the device to ranks on the host. Ranks of some images and reports are
compared with a float64 evaluation of all of their pairs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray

from pytest_retrieval_robust.retrieval.ranking import _ranks
from pytest_retrieval_robust.retrieval.ranking._checks import Request
from pytest_retrieval_robust.retrieval.ranking._kernels import (
    Engine,
    Kernels,
    engine_for,
)
from pytest_retrieval_robust.retrieval.ranking._precisions import Precision
from pytest_retrieval_robust.retrieval.ranking._thresholds import Counted

IMAGES = 377_110
REPORTS = 227_835
DIMENSION = 512
CORRELATION = 0.17
TOLERANCE = 1e-13
"""Scores that are nearer than this count as equal in the reference."""
_ROWS_AT_A_TIME = 2**14


@dataclass(frozen=True)
class Case:
    """Rows on one device, and the study of each."""

    images: torch.Tensor
    reports: torch.Tensor
    studies: NDArray[np.int64]
    """(images,): the number of each image's report."""


@dataclass(frozen=True)
class Measured:
    """What ranking a case took."""

    seconds: Sequence[float]
    """Per round."""
    share_in_doubt: float
    """Of all pairs, both directions together: those that float64 decided."""
    peak_mib: float
    """Memory of the device beyond the rows; NaN on a processor."""
    kernels: str
    image_ranks: NDArray[np.int64]
    report_ranks: NDArray[np.int64]

    def __str__(self) -> str:
        return (
            f"{median(self.seconds):.3f} s [{min(self.seconds):.3f}-"
            f"{max(self.seconds):.3f}], {self.share_in_doubt:.1e} of the pairs in"
            f" doubt, {self.peak_mib:.0f} MiB beyond the rows, {self.kernels}"
        )


def made(
    device: torch.device,
    cosine: float,
    images: int = IMAGES,
    reports: int = REPORTS,
    correlation: float = CORRELATION,
) -> Case:
    """`cosine` is the mean one between rows; a `correlation` of 0.05 is near chance."""
    torch.manual_seed(0)

    def directions(count: int) -> torch.Tensor:
        rows = torch.randn((count, DIMENSION), device=device)
        return torch.nn.functional.normalize(rows, dim=1)

    own = directions(reports)
    mean = cosine**0.5 * directions(1)
    # Every report has an image, and some have several.
    studies = np.arange(images) % reports
    numbers = torch.from_numpy(studies).to(device)
    near = directions(images).mul_((1 - correlation**2) ** 0.5)
    for part in torch.split(torch.arange(images, device=device), _ROWS_AT_A_TIME):
        near[part] += correlation * own[numbers[part]]
    apart = (1 - cosine) ** 0.5
    sides = [
        torch.nn.functional.normalize(
            torch.nn.functional.normalize(rows, dim=1).mul_(apart).add_(mean), dim=1
        )
        for rows in (near, own)
    ]
    return Case(sides[0], sides[1], studies)


def measure(
    case: Case, rounds: int = 3, filters: Sequence[Precision] | None = None
) -> Measured:
    """After a round that compiles what has to be compiled; `filters` replace the usual
    choice.
    """
    device = case.images.device
    usual = engine_for(
        device, 1024, DIMENSION, pairs=len(case.images) * len(case.reports)
    )
    watched = _Watched(usual.kernels)
    engine = Engine(usual.sizes, watched, usual.pairs_per_doubt)
    request = Request(
        case.images, case.reports, case.studies, np.arange(len(case.reports))
    )

    def rank() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return _ranks(request, both_directions=True, forced=filters, engine=engine)

    ranks = rank()
    # Right pairs are scored in float64 too, and are not in doubt.
    doubts = watched.pairs - len(case.studies)
    seconds = []
    is_cuda = device.type == "cuda"
    before = 0
    if is_cuda:
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
    for _ in range(rounds):
        seconds.append(_seconds(rank, device))
    peak = float("nan")
    if is_cuda:
        peak = (torch.cuda.max_memory_allocated(device) - before) / 2**20
    every_pair = 2 * len(case.images) * len(case.reports)
    return Measured(
        seconds,
        doubts / every_pair,
        peak,
        getattr(usual.kernels, "__name__", "kernels").rsplit("._", 1)[-1],
        *ranks,
    )


def differing(case: Case, measured: Measured, images: int, reports: int) -> int:
    """How many ranks of the first images and of the first reports are not float64's."""
    device = case.images.device
    own = torch.from_numpy(case.studies).to(device)
    of_reports = torch.arange(len(case.reports), device=device)
    image_ranks = _float64_ranks(
        case.images[:images], own[:images], case.reports, of_reports
    )
    report_ranks = _float64_ranks(
        case.reports[:reports], of_reports[:reports], case.images, own
    )
    return int(
        (image_ranks != measured.image_ranks[:images]).sum()
        + (report_ranks != measured.report_ranks[:reports]).sum()
    )


def report(device: str, cosines: Sequence[float], images: int, reports: int) -> None:
    """Print a line for each mean cosine."""
    place = torch.device(device)
    for cosine in cosines:
        case = made(place, cosine, images, reports)
        result = measure(case)
        wrong = differing(case, result, 2000, 500)
        print(
            f"{images:,} x {reports:,} x {DIMENSION} on {device}, mean cosine {cosine}:"
            f" {result}; ranks that differ from float64: {wrong}",
            flush=True,
        )


@dataclass
class _Watched:
    """Kernels that count how many pairs are scored in float64, without waiting."""

    kernels: Kernels
    pairs: int = field(default=0)

    def moments(
        self, rows: torch.Tensor, others: torch.Tensor, piece: int
    ) -> torch.Tensor:
        return self.kernels.moments(rows, others, piece)

    def pair_scores(
        self,
        queries: torch.Tensor,
        gallery: torch.Tensor,
        q_index: torch.Tensor,
        g_index: torch.Tensor,
        piece: int,
    ) -> torch.Tensor:
        self.pairs += len(q_index)
        return self.kernels.pair_scores(queries, gallery, q_index, g_index, piece)

    def collect(
        self,
        scores: torch.Tensor,
        of_rows: Counted,
        of_columns: Counted | None,
        first_query: int,
        first_item: int,
    ) -> None:
        self.kernels.collect(scores, of_rows, of_columns, first_query, first_item)


def _float64_ranks(
    queries: torch.Tensor,
    own: torch.Tensor,
    others: torch.Tensor,
    of_others: torch.Tensor,
) -> NDArray[np.int64]:
    best = torch.full_like(own, -torch.inf, dtype=torch.float64)
    exact = queries.double()
    for scores, right in _tables(exact, own, others, of_others):
        highest = scores.masked_fill(~right, -torch.inf).amax(1)
        best = torch.maximum(best, highest)
    ranks = torch.ones_like(own)
    for scores, right in _tables(exact, own, others, of_others):
        reaches = scores >= (best - TOLERANCE)[:, None]
        ranks += (reaches & ~right).sum(1)
    return ranks.cpu().numpy()


def _tables(
    queries: torch.Tensor,
    own: torch.Tensor,
    others: torch.Tensor,
    of_others: torch.Tensor,
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """float64 scores with a part of the others, and which of them are right."""
    rows = torch.split(others, _ROWS_AT_A_TIME)
    studies = torch.split(of_others, _ROWS_AT_A_TIME)
    for part, groups in zip(rows, studies, strict=True):
        yield queries @ part.double().T, own[:, None] == groups


def _seconds(action: Callable[[], object], device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    start = time.perf_counter()
    # Ranks arrive on the host, so that nothing is still under way afterwards.
    action()
    return time.perf_counter() - start
