"""Exact ranks in both directions beside a matrix product and peers: `OMP_NUM_THREADS=1
python -m benchmarks.ranks`.

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
from pytest_retrieval_robust.retrieval.ranking._filter import has_bfloat16
from pytest_retrieval_robust.retrieval.ranking._kernels import compiled

Floats = NDArray[np.float32]
Actions = dict[str, Callable[[], object]]
DIMENSION, TILE, CORRELATION, KS = 512, 1024, 0.17, (1, 5, 10)
COSINES = (0.0, 0.5, 0.7, 0.86, 0.95)
PEERS = ("faiss", "torchmetrics")
LOOP_TOLERANCE = 1e-13  # what the loop does not tell apart


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
    parser.add_argument("--memory-of", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    if asked.memory_of:
        print(_memory(asked.memory_of))
        return
    print(
        f"{hardware_name('cpu')}, torch {torch.__version__}, numpy {np.__version__},"
        f" {_setting()}"
    )
    for cosine in asked.cosines:
        _compare(asked.size, cosine, asked.rounds)
    _beside_peers(asked.size, asked.small, asked.rounds)
    _extra_memory(asked.size)
    if asked.large:
        _scale(asked.size, asked.large, asked.rounds)


def _setting() -> str:
    bfloat16 = (
        "bfloat16 in hardware"
        if has_bfloat16(torch.device("cpu"))
        else "no bfloat16 in hardware: float32 filter"
    )
    loops = "compiled loops" if compiled() else "plain loops (numba is not installed)"
    return f"OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS')}, {bfloat16}, {loops}"


# The cases


def made(size: int, cosine: float) -> tuple[Floats, Floats]:
    """(N, D) unit queries and gallery; the mean cosine between rows is `cosine`."""
    rng = np.random.default_rng(0)

    def directions(*shape: int) -> Floats:
        return _unit(rng.standard_normal((*shape, DIMENSION), dtype=np.float32))

    gallery, shared = directions(size), directions()
    queries = _unit(
        CORRELATION * gallery + (1 - CORRELATION**2) ** 0.5 * directions(size)
    )
    apart = (1 - cosine) ** 0.5
    return _unit(cosine**0.5 * shared + apart * queries), _unit(
        cosine**0.5 * shared + apart * gallery
    )


def _unit(rows: Floats) -> Floats:
    scaled: Floats = (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(
        np.float32
    )
    return scaled


def _compare(size: int, cosine: float, rounds: int) -> None:
    queries, gallery = made(size, cosine)
    own = np.arange(size)
    found = positive_ranks_both(queries, gallery, own, own)
    actions: Actions = {
        "torch's product, by tiles": lambda: product_by_tiles(queries, gallery),
        "numpy's product, whole": lambda: queries @ gallery.T,
        "both directions in one pass": lambda: positive_ranks_both(
            queries, gallery, own, own
        ),
    }
    differ = [
        int((a != b).sum())
        for a, b in zip(found, loop_ranks(queries, gallery), strict=True)
    ]
    recall = ", ".join(f"{float((ranks == 1).mean()):.3f}" for ranks in found)
    print(
        f"\nN = {size:,}, mean cosine {cosine}, Recall@1 {recall}; ranks that differ"
        f" from float64: {sum(differ)}"
    )
    _table(actions, rounds, yardsticks=2)


def _beside_peers(size: int, small: int, rounds: int) -> None:
    missing = [name for name in PEERS if find_spec(name) is None]
    if missing:
        print(f"\nNot installed, and left out: {', '.join(missing)}")
    if "faiss" not in missing:
        queries, gallery = made(size, 0.0)
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
    few, others = made(small, 0.0)
    some = np.arange(small)
    slow: Actions = {
        "torch's product, by tiles": lambda: product_by_tiles(few, others),
        "both directions in one pass": lambda: positive_ranks_both(
            few, others, some, some
        ),
        "CLIP_benchmark's way": lambda: _one_hot_recalls(few, others),
    }
    if "torchmetrics" not in missing:
        slow["torchmetrics RetrievalHitRate, 3 k, both ways"] = lambda: _torchmetrics(
            few, others
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
    """KiB that the process grows by; libraries and small tiles are there already."""
    rng, own = np.random.default_rng(0), np.arange(size)
    rows = [rng.standard_normal((size, DIMENSION), dtype=np.float32) for _ in range(2)]
    some = [side[:5000] for side in rows]
    positive_ranks_both(some[0], some[1], own[:5000], own[:5000], tile=64)
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = _status("VmRSS")
    positive_ranks_both(rows[0], rows[1], own, own)
    return _status("VmHWM") - before


def _status(name: str) -> int:
    """KiB, as Linux tells."""
    return int(Path("/proc/self/status").read_text().split(f"{name}:")[1].split()[0])


def _scale(size: int, large: int, rounds: int) -> None:
    seconds = {}
    for count in (size, large):
        rows, own = made(count, 0.5), np.arange(count)
        seconds[count] = median(
            _seconds(partial(positive_ranks_both, *rows, own, own))
            for _ in range(rounds)
        )
    predicted = seconds[size] * (large / size) ** 2
    print(
        f"\nN = {large:,}: {seconds[large]:.1f} s; {predicted:.1f} s from N = {size:,}"
        f" by the number of pairs ({seconds[large] / predicted - 1:+.1%})"
    )


def _table(actions: Actions, rounds: int, yardsticks: int) -> None:
    taken = [
        {name: _seconds(action) for name, action in actions.items()}
        for _ in range(rounds + 1)
    ][1:]
    bases = list(actions)[:yardsticks]
    best = min(bases, key=lambda name: median(one[name] for one in taken))
    print("\n| | s | times the best product |\n| --- | --- | --- |")
    for name in actions:
        times, ratios = (
            [one[name] for one in taken],
            [one[name] / one[best] for one in taken],
        )
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
    q_rows, g_rows = torch.from_numpy(queries), torch.from_numpy(gallery)
    scores = torch.empty(TILE, TILE)
    for left in torch.split(q_rows, TILE):
        for right in torch.split(g_rows, TILE):
            torch.mm(left, right.T, out=scores[: len(left), : len(right)])


def loop_ranks(
    queries: Floats, gallery: Floats
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ranks of pairs (i, i) by float64 scores of everything."""
    others = gallery.astype(np.float64)
    floors = np.einsum("nd,nd->n", queries.astype(np.float64), others) - LOOP_TOLERANCE
    of_queries, of_gallery = [], np.zeros(len(gallery), dtype=np.int64)
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
    return [
        _one_hot_recall(table, right, k) for k in KS for table in (scores, scores.T)
    ]


def _one_hot_recall(scores: torch.Tensor, right: torch.Tensor, k: int) -> float:
    hits = []
    for table, wanted in zip(
        torch.split(scores, 64), torch.split(right, 64), strict=True
    ):
        best = torch.nn.functional.one_hot(
            table.topk(k, dim=1).indices, scores.shape[1]
        )
        hits.append((best.sum(1) * wanted).sum(1) > 0)
    return float(torch.cat(hits).float().mean())


def _torchmetrics(queries: Floats, gallery: Floats) -> list[float]:
    from torchmetrics.retrieval import RetrievalHitRate

    scores = torch.from_numpy(queries) @ torch.from_numpy(gallery).T
    right, found = torch.eye(len(queries), dtype=torch.bool), []
    number = torch.arange(len(queries)).repeat_interleave(len(gallery))
    for table in (scores, scores.T):
        for k in KS:
            metric = RetrievalHitRate(top_k=k)
            metric.update(table.flatten(), right.flatten(), indexes=number)
            found.append(float(metric.compute()))
    return found


if __name__ == "__main__":
    main()
