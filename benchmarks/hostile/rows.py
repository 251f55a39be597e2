"""All rows, in the order of the table."""

from __future__ import annotations

import gc
import os
from tempfile import TemporaryDirectory

from pytest_retrieval_robust import evaluate

from . import (
    archives,
    checkpoints,
    disks,
    encoders,
    images,
    killing,
    one_process,
    own_data,
    policies,
    remote_code,
    saved_runs,
    shards,
    toy,
    verdicts,
)
from .trials import Row

ROWS: tuple[Row, ...] = (
    *killing.ROWS,
    *disks.ROWS,
    *shards.ROWS,
    *checkpoints.ROWS,
    *remote_code.ROWS,
    *images.ROWS,
    *archives.ROWS,
    *policies.ROWS,
    *encoders.ROWS,
    *own_data.ROWS,
    *one_process.ROWS,
    *saved_runs.ROWS,
    *verdicts.ROWS,
)


def warm_up() -> None:
    """Import what trials need and measure once, so that forked processes need do neither."""
    import pytest
    import torch
    from tqdm import tqdm

    import pytest_retrieval_robust.reports.html.page
    import pytest_retrieval_robust.reports.saved_run
    import pytest_retrieval_robust.reports.terminal.summary
    import pytest_retrieval_robust.run.plugin  # noqa: F401

    torch.set_num_threads(1)
    assert pytest.__version__
    # Neither tokenizers nor a progress bar may start threads: they would be missing in a fork.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    tqdm.monitor_interval = 0
    _measure_once()
    gc.collect()
    gc.freeze()  # pytest collects garbage at each end: of all these modules it took half a second


def _measure_once() -> None:
    """What the first sweep of a process takes and later ones do not is two seconds."""
    with TemporaryDirectory() as cache:
        _measure("tiny-cxr-clip", "synthetic-cxr", cache)
        _measure(toy.ToyEncoder(), toy.ToyDataset(), cache)


def _measure(
    model: str | toy.ToyEncoder, dataset: str | toy.ToyDataset, cache: str
) -> None:
    evaluate(
        model,
        dataset,
        "patches",
        levels=(0.1, 0.2),
        limit=48,
        cache_dir=cache,
        progress=False,
    )
