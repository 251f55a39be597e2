"""All rows, in the order of the table."""

from __future__ import annotations

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
    """Import what trials need, so that forked processes have it at once."""
    import gc

    import pytest
    import torch

    import pytest_retrieval_robust.measure.sweep.run
    import pytest_retrieval_robust.models._formats.transformers.encoder
    import pytest_retrieval_robust.reports.html.page
    import pytest_retrieval_robust.reports.saved_run
    import pytest_retrieval_robust.reports.terminal.summary
    import pytest_retrieval_robust.run.plugin  # noqa: F401

    torch.set_num_threads(1)
    assert pytest.__version__
    gc.collect()
    gc.freeze()  # pytest collects garbage at each end: of all these modules it took half a second
