"""A run on an MLflow tracking server (extra `tracking`), where `[tracking]` of
robust.toml asks for it.
"""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from hashlib import blake2b
from io import StringIO
from typing import TYPE_CHECKING, Any, TypeVar

from ..core.errors import NotOnThisMachineError, RobustError
from ..core.foreign import FOREIGN, let_go
from ._text import plain
from .html.page import render_html
from .run_series import series_of
from .saved_run import render_json
from .series import Series

if TYPE_CHECKING:
    from ..core.config_file import TrackingTable
    from ..gate.record import RunRecord

T = TypeVar("T")
_MOST = 1000
"""Metrics that a server takes at once."""
_LONGEST = 240
_RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"


def send(run: RunRecord, tracking: TrackingTable) -> str:
    """Make a run there with metrics, curves and both reports; its id. One that breaks
    off is marked as failed there.

    A metric is named `MODEL/DATASET/OCCLUDER/DIRECTION/recall_at_10`; its step is the
    level in thousandths, so that the server draws the curve. Nothing is in it that
    `run.json` has not.

    Raises:
        NotOnThisMachineError: MLflow is not installed.
        RobustError: The server did not take it.
    """
    try:
        from mlflow import MlflowClient
    except ImportError:
        client = None
    else:
        client = MlflowClient
    if client is None:
        raise NotOnThisMachineError.because(
            "[tracking] asks for MLflow, which is not installed: pip install"
            " 'pytest-retrieval-robust[tracking]'"
        )
    try:
        with _quietly(os.environ.get(_RETRIES, "2")):
            return _send(client(tracking_uri=tracking.mlflow), run, tracking.experiment)
    # MLflow passes on whatever its transport raises, with addresses in its text
    except FOREIGN as error:
        refusal = getattr(error, "error_code", None)
        what = (
            type(error).__name__
            if refusal is None
            else f"{type(error).__name__} {refusal}"
        )
        let_go(error)
    # Outside of the except block: the address may hold a password, and the text of the
    # other error names it.
    raise RobustError(
        f"Expected the tracking server of [tracking] to take the run, got {what}."
        " Nothing else depends on it. Check that the address is a server's, that it"
        " runs and can be reached, and that the experiment was not deleted."
    )


@contextmanager
def _quietly(retries: str) -> Iterator[None]:
    """By itself MLflow prints in the middle of pytest's output, and tries for minutes."""
    logger, level = logging.getLogger("mlflow"), logging.getLogger("mlflow").level
    before = os.environ.get(_RETRIES)
    os.environ[_RETRIES] = retries
    logger.setLevel(logging.CRITICAL)
    try:
        with (
            redirect_stdout(StringIO()),
            redirect_stderr(StringIO()),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
        if before is None:
            del os.environ[_RETRIES]
        else:
            os.environ[_RETRIES] = before


def _send(client: Any, run: RunRecord, experiment: str) -> str:
    known = client.get_experiment_by_name(experiment)
    place = (
        client.create_experiment(experiment) if known is None else known.experiment_id
    )
    name: str = client.create_run(
        place, run_name=f"{run.identity.started} {run.identity.id}"
    ).info.run_id
    try:
        _log(client, name, run)
    except BaseException:  # an interrupt too
        with (
            suppress(*FOREIGN),
            _quietly("0"),
        ):  # of two errors the first is the one to tell
            client.set_terminated(name, "FAILED")
        raise
    client.set_terminated(name)
    return name


def _log(client: Any, name: str, run: RunRecord) -> None:
    from mlflow.entities import Metric, Param, RunTag

    now = client.get_run(name).info.start_time
    metrics = [
        Metric(key, value, now, step) for key, value, step in metrics_of(series_of(run))
    ]
    for start in range(0, len(metrics), _MOST):
        client.log_batch(name, metrics=metrics[start : start + _MOST])
    parameters = [
        Param(key, plain(value)[:500]) for key, value in _parameters(run).items()
    ]
    tags = [RunTag("release_gate", str(run.release.status))]
    client.log_batch(name, params=parameters, tags=tags)
    client.log_text(name, render_html(run), "report.html")
    client.log_text(name, render_json(run), "run.json")


def metrics_of(series: Sequence[Series]) -> Iterator[tuple[str, float, int]]:
    """(name, value, step): each point of each curve, and what sums a curve up at step 0."""
    for one in series:
        place = "/".join(
            _word(word)
            for word in (one.model, one.dataset, one.occluder, one.direction)
        )
        for point in one.recall:
            if point.value is not None:
                yield (
                    f"{place}/recall_at_{one.k}",
                    point.value,
                    round(1000 * point.level),
                )
        whole = {
            "auc": one.auc,
            "half_level": one.half_level,
            "kept": one.last_retention,
        }
        for name, value in whole.items():
            if value is not None:
                yield f"{place}/{name}_at_{one.k}", value, 0


def _word(name: str) -> str:
    """A name of the signs that MLflow takes; where that changes it, six more keep it
    apart from others.
    """
    taken = (
        re.sub(r"[^\w. :-]+|^\.+", "-", plain(name), flags=re.ASCII)[: _LONGEST // 4]
        or "-"
    )
    return (
        taken
        if taken == name
        else (
            f"{taken}-{blake2b(name.encode(errors='replace'), digest_size=3).hexdigest()}"
        )
    )


def _parameters(run: RunRecord) -> dict[str, str]:
    plan = run.plan
    return {
        "run": run.identity.id,
        "version": run.identity.version,
        "command": run.scope.command or "-",
        "models": ", ".join(plan.models) or "-",
        "datasets": ", ".join(plan.datasets) or "-",
        "occluders": ", ".join(plan.occluders) or "-",
        "seeds": ", ".join(map(str, plan.seeds)),
        "limit": str(run.limit),
        "partial": str(run.scope.partial),
        "gates_sha256": str(run.gates_sha256),
    }
