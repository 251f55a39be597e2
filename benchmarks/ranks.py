"""Exact ranks in both directions beside a matrix product and peers.

`OMP_NUM_THREADS=1 python -m benchmarks.ranks`

Pairs of unit rows whose residuals correlate so that Recall@1 is near 0.4, around a mean
that all share. The yardstick is the fastest float32 product of the same size, torch's
by tiles or numpy's of the whole matrix. All in turns in one process on one thread; each
figure is the process's own time, as the median over rounds with the least and the
largest, and each ratio is to the yardstick of its own round.

Every rank is compared with a float64 evaluation of all pairs. Peers come with
`.[benchmarks]`, the compiled loops with `.[fast]`; what is not installed is left out
with a line. CLIP_benchmark's and torchmetrics' ways need several full matrices, and
much time: they run at a smaller size, beside a product of that size. The first is
written anew from what it does: full matrix, the k best as one-hot numbers, times the
matrix of right pairs.

A processor without AVX512-BF16 or AMX emulates bfloat16, so that float32 filters: the
first line says which it is.

`--device cuda` ranks at the size of MIMIC-CXR instead (`benchmarks.ranks_on_device`).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray

from pytest_retrieval_robust.measure.timing.hardware import hardware_name
from pytest_retrieval_robust.retrieval.ranking import positive_ranks_both
from pytest_retrieval_robust.retrieval.ranking._kernels import compiled
from pytest_retrieval_robust.retrieval.ranking._precisions import has_bfloat16

from . import ranks_on_device

Floats = NDArray[np.float32]
Actions = dict[str, Callable[[], object]]
DIMENSION = 512
TILE = 1024
CORRELATION = 0.17
KS = (1, 5, 10)
COSINES = (0.0, 0.5, 0.7, 0.86, 0.95)
PEERS = ("faiss", "torchmetrics")
LOOP_TOLERANCE = 1e-13
"""Scores that are nearer than this count as equal in the reference."""


def main() -> None:
    """Print each table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--size", type=int, default=20_000, help="queries, and items of the gallery"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cosines", type=float, nargs="*", default=COSINES)
    parser.add_argument(
        "--small",
        type=int,
        default=2_000,
        help="size for what is slow or needs full matrices",
    )
    parser.add_argument(
        "--large",
        type=int,
        default=60_000,
        help="size that is predicted from --size; 0 leaves it out",
    )
    parser.add_argument("--device", help="rank on this GPU, and measure nothing else")
    parser.add_argument("--images", type=int, default=ranks_on_device.IMAGES)
    parser.add_argument("--reports", type=int, default=ranks_on_device.REPORTS)
    parser.add_argument("--memory-of", type=int, help=argparse.SUPPRESS)
    parsed = parser.parse_args()
    if parsed.device:
        ranks_on_device.report(
            parsed.device, parsed.cosines, parsed.images, parsed.reports
        )
        return
    torch.set_num_threads(1)
    if parsed.memory_of:
        print(_memory(parsed.memory_of))
        return
    print(
        f"{hardware_name('cpu')}, torch {torch.__version__}, numpy {np.__version__},"
        f" {_setting()}"
    )
    for cosine in parsed.cosines:
        _compare(parsed.size, cosine, parsed.rounds)
    _beside_peers(parsed.size, parsed.small, parsed.rounds)
    _extra_memory(parsed.size)
    if parsed.large:
        _scale(parsed.size, parsed.large, parsed.rounds)


def _setting() -> str:
    bfloat16 = "no bfloat16 in hardware: float32 filter"
    if has_bfloat16(torch.device("cpu")):
        bfloat16 = "bfloat16 in hardware"
    loops = "plain loops (numba is not installed)"
    if compiled():
        loops = "compiled loops"
    return f"OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS')}, {bfloat16}, {loops}"


# The cases


def unit_rows(size: int, cosine: float) -> tuple[Floats, Floats]:
    """(N, D) unit queries and gallery; the mean cosine between rows is `cosine`."""
    rng = np.random.default_rng(0)

    def directions(*shape: int) -> Floats:
        return _unit(rng.standard_normal((*shape, DIMENSION), dtype=np.float32))

    gallery = directions(size)
    mean = cosine**0.5 * directions()
    residuals = (1 - CORRELATION**2) ** 0.5 * directions(size)
    queries = _unit(CORRELATION * gallery + residuals)
    apart = (1 - cosine) ** 0.5
    return _unit(mean + apart * queries), _unit(mean + apart * gallery)


def _unit(rows: Floats) -> Floats:
    scaled: Floats = (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(
        np.float32
    )
    return scaled


def _compare(size: int, cosine: float, rounds: int) -> None:
    queries, gallery = unit_rows(size, cosine)
    own = np.arange(size)
    both_ranks = positive_ranks_both(queries, gallery, own, own)
    actions: Actions = {
        "torch's product, by tiles": lambda: product_by_tiles(queries, gallery),
        "numpy's product, whole": lambda: queries @ gallery.T,
        "both directions in one pass": lambda: positive_ranks_both(
            queries, gallery, own, own
        ),
    }
    exact_ranks = loop_ranks(queries, gallery)
    differing = 0
    for ranks, exact in zip(both_ranks, exact_ranks, strict=True):
        differing += int((ranks != exact).sum())
    recall = ", ".join(f"{float((ranks == 1).mean()):.3f}" for ranks in both_ranks)
    print(
        f"\nN = {size:,}, mean cosine {cosine}, Recall@1 {recall}; ranks that differ"
        f" from float64: {differing}"
    )
    _table(actions, rounds, yardsticks=2)


def _beside_peers(size: int, small: int, rounds: int) -> None:
    missing = [name for name in PEERS if find_spec(name) is None]
    if missing:
        print(f"\nNot installed, and left out: {', '.join(missing)}")
    if "faiss" not in missing:
        queries, gallery = unit_rows(size, 0.0)
        own = np.arange(size)
        print(f"\nN = {size:,}, beside faiss")
        actions: Actions = {
            "torch's product, by tiles": lambda: product_by_tiles(queries, gallery),
            "both directions in one pass": lambda: positive_ranks_both(
                queries, gallery, own, own
            ),
            "faiss IndexFlatIP, 10 best, both ways": lambda: (
                _faiss(queries, gallery),
                _faiss(gallery, queries),
            ),
        }
        _table(actions, rounds, yardsticks=1)
    few_queries, few_items = unit_rows(small, 0.0)
    few_own = np.arange(small)
    slow: Actions = {
        "torch's product, by tiles": lambda: product_by_tiles(few_queries, few_items),
        "both directions in one pass": lambda: positive_ranks_both(
            few_queries, few_items, few_own, few_own
        ),
        "CLIP_benchmark's way": lambda: _one_hot_recalls(few_queries, few_items),
    }
    if "torchmetrics" not in missing:
        slow["torchmetrics RetrievalHitRate, 3 k, both ways"] = lambda: _torchmetrics(
            few_queries, few_items
        )
    print(f"\nN = {small:,}, beside what is slow")
    _table(slow, rounds, yardsticks=1)


def _extra_memory(size: int) -> None:
    command = [sys.executable, "-m", "benchmarks.ranks", "--memory-of", str(size)]
    grown = int(
        subprocess.run(command, capture_output=True, text=True, check=True).stdout
    )
    print(
        f"\nMemory beyond the embeddings, N = {size:,}: {grown / 1024:.0f} MiB (a"
        f" matrix: {size**2 >> 18:,} MiB)"
    )


def _memory(size: int) -> int:
    """KiB by which the process grows, beyond libraries and small tiles."""
    rng = np.random.default_rng(0)
    own = np.arange(size)
    queries = rng.standard_normal((size, DIMENSION), dtype=np.float32)
    gallery = rng.standard_normal((size, DIMENSION), dtype=np.float32)
    # A first small pass loads and compiles what any pass needs.
    positive_ranks_both(queries[:5000], gallery[:5000], own[:5000], own[:5000], tile=64)
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = _status("VmRSS")
    positive_ranks_both(queries, gallery, own, own)
    return _status("VmHWM") - before


def _status(name: str) -> int:
    """KiB, as Linux states them."""
    return int(Path("/proc/self/status").read_text().split(f"{name}:")[1].split()[0])


def _scale(size: int, large: int, rounds: int) -> None:
    seconds = {}
    for count in (size, large):
        own = np.arange(count)
        action = partial(positive_ranks_both, *unit_rows(count, 0.5), own, own)
        seconds[count] = median(_seconds(action) for _ in range(rounds))
    predicted = seconds[size] * (large / size) ** 2
    print(
        f"\nN = {large:,}: {seconds[large]:.1f} s; {predicted:.1f} s from N = {size:,}"
        f" by the number of pairs ({seconds[large] / predicted - 1:+.1%})"
    )


def _table(actions: Actions, rounds: int, yardsticks: int) -> None:
    timed = []
    for _ in range(rounds + 1):
        timed.append({name: _seconds(action) for name, action in actions.items()})
    del timed[0]  # a warm-up
    bases = list(actions)[:yardsticks]
    best = min(bases, key=lambda name: median(seconds[name] for seconds in timed))
    print("\n| | s | times the best product |\n| --- | --- | --- |")
    for name in actions:
        times = [seconds[name] for seconds in timed]
        # To the yardstick of the same round, so that a busy moment slows both.
        ratios = [seconds[name] / seconds[best] for seconds in timed]
        print(f"| {name} | {_spread(times)} | {_spread(ratios)} |", flush=True)


def _spread(values: list[float]) -> str:
    return f"{median(values):.3f} [{min(values):.3f}-{max(values):.3f}]"


def _seconds(action: Callable[[], object]) -> float:
    # The processor's time for this process, so that what else the machine does is not counted.
    start = time.process_time()
    action()
    return time.process_time() - start


# The references


def product_by_tiles(queries: Floats, gallery: Floats) -> None:
    """All scores, none kept."""
    query_tiles = torch.split(torch.from_numpy(queries), TILE)
    gallery_tiles = torch.split(torch.from_numpy(gallery), TILE)
    scores = torch.empty(TILE, TILE)
    for left in query_tiles:
        for right in gallery_tiles:
            torch.mm(left, right.T, out=scores[: len(left), : len(right)])


def loop_ranks(
    queries: Floats, gallery: Floats
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ranks of pairs (i, i) by float64 scores of everything."""
    others = gallery.astype(np.float64)
    floors = np.einsum("nd,nd->n", queries.astype(np.float64), others) - LOOP_TOLERANCE
    of_queries = []
    of_gallery = np.zeros(len(gallery), dtype=np.int64)
    for start in range(0, len(queries), 256):
        scores = queries[start : start + 256].astype(np.float64) @ others.T
        of_queries.append((scores >= floors[start : start + 256, None]).sum(1))
        of_gallery += (scores >= floors).sum(0)
    return np.concatenate(of_queries), of_gallery


# The peers


def _faiss(queries: Floats, gallery: Floats) -> object:
    import faiss

    faiss.omp_set_num_threads(1)
    index = faiss.IndexFlatIP(DIMENSION)
    index.add(gallery)
    return index.search(queries, max(KS))


def _one_hot_recalls(queries: Floats, gallery: Floats) -> list[float]:
    scores = torch.from_numpy(queries) @ torch.from_numpy(gallery).T
    right = torch.eye(len(queries), dtype=torch.bool)
    recalls = []
    for k in KS:
        for table in (scores, scores.T):
            recalls.append(_one_hot_recall(table, right, k))
    return recalls


def _one_hot_recall(scores: torch.Tensor, right: torch.Tensor, k: int) -> float:
    hits = []
    # In tiles: one-hot numbers of all queries would take several times the scores.
    tiles = zip(torch.split(scores, 64), torch.split(right, 64), strict=True)
    for tile, right_pairs in tiles:
        indices = tile.topk(k, dim=1).indices
        best = torch.nn.functional.one_hot(indices, scores.shape[1])
        hits.append((best.sum(1) * right_pairs).sum(1) > 0)
    return float(torch.cat(hits).float().mean())


def _torchmetrics(queries: Floats, gallery: Floats) -> list[float]:
    from torchmetrics.retrieval import RetrievalHitRate

    scores = torch.from_numpy(queries) @ torch.from_numpy(gallery).T
    right = torch.eye(len(queries), dtype=torch.bool)
    recalls = []
    number = torch.arange(len(queries)).repeat_interleave(len(gallery))
    for table in (scores, scores.T):
        for k in KS:
            metric = RetrievalHitRate(top_k=k)
            metric.update(table.flatten(), right.flatten(), indexes=number)
            recalls.append(float(metric.compute()))
    return recalls


if __name__ == "__main__":
    main()
