"""What a leaderboard of many runs takes: `python -m benchmarks.leaderboard [RUNS]`.

50 runs, unless another number is given, of one model, 1,000 queries of 500 patients, 6
levels, 3 k and both directions each. Seconds of a processor for reading and checking the
runs, for comparing all pairs, and for writing the page, JSON and CSV, each the median of
rounds. Below, the pairs with the same draws for all of them, and one by one.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import TypeVar

import numpy as np

from pytest_retrieval_robust.reports.leaderboard.board import board_of
from pytest_retrieval_robust.reports.leaderboard.files import write_board
from pytest_retrieval_robust.reports.saved.submission import Submission, read_submission
from pytest_retrieval_robust.retrieval.bootstrap import Clusters
from pytest_retrieval_robust.retrieval.rank_intervals import compare_all
from tests.saved_runs import make_run

T = TypeVar("T")
LEVELS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
QUERIES = 1_000
STUDIES = 2
ROUNDS = 3
PAIRS = 20
"""Pairs that are compared one by one; all would take as many times longer."""


def main() -> None:
    """Print a line for each part."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        runs = [_saved(folder, number) for number in range(count)]
        rounds = [_round(runs, folder / "board") for _ in range(ROUNDS)]
        medians = {part: median(each[part] for each in rounds) for part in rounds[0]}
        for part, seconds in medians.items():
            print(f"{part} {count} runs: {seconds:.2f} s")
        print(f"together: {sum(medians.values()):.2f} s")
        _one_by_one(count)


def _round(runs: Sequence[Path], folder: Path) -> dict[str, float]:
    """Seconds of each part of a board."""
    submissions, reading = _timed(partial(_read, runs))
    board, comparing = _timed(partial(board_of, submissions))
    _, writing = _timed(partial(write_board, board, folder))
    return {"reading": reading, "comparing": comparing, "writing": writing}


def _saved(folder: Path, number: int) -> Path:
    run = make_run(
        folder / f"store-{number}",
        QUERIES,
        shift=number,
        models=(f"model-{number}",),
        studies=STUDIES,
        levels=LEVELS,
        ks=(1, 5, 10),
    )
    return run.save(folder / f"run-{number}")


def _read(runs: Sequence[Path]) -> list[Submission]:
    return [read_submission(run) for run in runs]


def _timed(action: Callable[[], T]) -> tuple[T, float]:
    start = time.process_time()
    result = action()
    return result, time.process_time() - start


def _one_by_one(count: int) -> None:
    rng = np.random.default_rng(0)
    scores = (rng.random((QUERIES, count)) < 0.6).astype(np.float64)
    clusters = Clusters.of(np.arange(QUERIES) // STUDIES)
    _, together = _timed(lambda: compare_all(scores, clusters))
    chosen = list(combinations(range(count), 2))[:PAIRS]
    _, apart = _timed(
        lambda: [compare_all(scores[:, list(pair)], clusters) for pair in chosen]
    )
    pairs = count * (count - 1) // 2
    alone = apart / len(chosen) * pairs
    print(
        f"{pairs} pairs with shared draws: {together:.2f} s; one by one: {alone:.1f} s"
    )


if __name__ == "__main__":
    main()
