"""A run on an MLflow tracking server (extra `tracking`), if robust.toml has `[tracking]`."""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from hashlib import blake2b
from io import StringIO
from typing import TYPE_CHECKING, Any

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

_BATCH = 1000
"""Metrics that a server takes at once."""
_LONGEST_WORD = 60
"""A metric's name has four words, and MLflow takes 250 signs."""
_LONGEST_VALUE = 500
"""Signs of a parameter."""
_RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"


def send(run: RunRecord, tracking: TrackingTable) -> str:
    """Make a run there with metrics, curves and both reports; its id.

    A run that breaks off is marked as failed there. A metric is named
    `MODEL/DATASET/OCCLUDER/DIRECTION/recall_at_10`, or `corruption NAME` in place of the
    occluder; its step is the level or severity in thousandths, so that the server draws
    the curve. It holds nothing that `run.json`
    does not hold.

    Raises:
        NotOnThisMachineError: MLflow is not installed.
        RobustError: The server did not take it.
    """
    client_type = _client_type()
    if client_type is None:
        raise NotOnThisMachineError.because(
            "[tracking] asks for MLflow, which is not installed: pip install"
            " 'pytest-retrieval-robust[tracking]'"
        )
    try:
        with _quietly(os.environ.get(_RETRIES, "2")):
            client = client_type(tracking_uri=tracking.mlflow)
            return _send(client, run, tracking.experiment)
    # MLflow passes on whatever its transport raises, with addresses in its text
    except FOREIGN as error:
        refusal = _refusal(error)
        let_go(error)
    # Outside of the except block: the address may hold a password, and the text of the
    # other error names it.
    raise RobustError(
        f"Expected the tracking server of [tracking] to take the run, got {refusal}."
        " Nothing else depends on it. Check that the address is a server's, that it"
        " runs and can be reached, and that the experiment was not deleted."
    )


def _client_type() -> Any:
    """MLflow's client; None where it is not installed."""
    try:
        from mlflow import MlflowClient
    except ImportError:
        return None
    return MlflowClient


def _refusal(error: BaseException) -> str:
    """The kind of an error, and MLflow's code if it has one: never its text."""
    code = getattr(error, "error_code", None)
    name = type(error).__name__
    return name if code is None else f"{name} {code}"


@contextmanager
def _quietly(retries: str) -> Iterator[None]:
    """By itself MLflow prints in the middle of pytest's output, and tries for minutes."""
    logger = logging.getLogger("mlflow")
    level = logger.level
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
    name = f"{run.identity.started} {run.identity.id}"
    created = client.create_run(_experiment_id(client, experiment), run_name=name)
    run_id: str = created.info.run_id
    try:
        _log(client, run_id, run)
    except BaseException:  # an interrupt too
        # Of two errors the first is the one to report; the server may be gone.
        with suppress(*FOREIGN), _quietly("0"):
            client.set_terminated(run_id, "FAILED")
        raise
    client.set_terminated(run_id)
    return run_id


def _experiment_id(client: Any, name: str) -> Any:
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        return client.create_experiment(name)
    return experiment.experiment_id


def _log(client: Any, run_id: str, run: RunRecord) -> None:
    from mlflow.entities import Metric, Param, RunTag

    now = client.get_run(run_id).info.start_time
    metrics = [
        Metric(name, value, now, step)
        for name, value, step in metrics_of(series_of(run))
    ]
    for start in range(0, len(metrics), _BATCH):
        client.log_batch(run_id, metrics=metrics[start : start + _BATCH])
    parameters = [
        Param(name, plain(value)[:_LONGEST_VALUE])
        for name, value in _parameters(run).items()
    ]
    tags = [RunTag("release_gate", str(run.release.status))]
    client.log_batch(run_id, params=parameters, tags=tags)
    client.log_text(run_id, render_html(run), "report.html")
    client.log_text(run_id, render_json(run), "run.json")


def metrics_of(series: Sequence[Series]) -> Iterator[tuple[str, float, int]]:
    """(name, value, step): each point of each curve, and what sums a curve up at step 0."""
    for line in series:
        subject = (line.model, line.dataset, _member(line), line.direction)
        prefix = "/".join(map(_word, subject))
        for point in line.recall:
            if point.value is not None:
                step = round(1000 * point.level)
                yield f"{prefix}/recall_at_{line.k}", point.value, step
        # `kept` is the name that earlier runs on the server have.
        of_curve = {
            "auc": line.auc,
            "half_level": line.half_level,
            "kept": line.last_retention,
        }
        for name, value in of_curve.items():
            if value is not None:
                yield f"{prefix}/{name}_at_{line.k}", value, 0


def _member(line: Series) -> str:
    """The perturbation; one that is no occluder with its family, which may share names."""
    if line.family == "occlusion":
        return line.occluder
    return f"{line.family} {line.occluder}"


def _word(name: str) -> str:
    """A name in the signs that MLflow takes.

    Where that changes it, a hash keeps it apart from others.
    """
    accepted = re.sub(r"[^\w. :-]+|^\.+", "-", plain(name), flags=re.ASCII)
    accepted = accepted[:_LONGEST_WORD] or "-"
    if accepted == name:
        return name
    # Not every name can be encoded: it may hold half of a surrogate pair.
    digest = blake2b(name.encode(errors="replace"), digest_size=3).hexdigest()
    return f"{accepted}-{digest}"


def _parameters(run: RunRecord) -> dict[str, str]:
    plan = run.plan
    return {
        "run": run.identity.id,
        "version": run.identity.version,
        "command": run.scope.command or "-",
        "models": ", ".join(plan.models) or "-",
        "datasets": ", ".join(plan.datasets) or "-",
        "occluders": ", ".join(plan.occluders) or "-",
        "corruptions": ", ".join(plan.corruptions) or "-",
        "text_noise": ", ".join(plan.text_noise) or "-",
        "seeds": ", ".join(map(str, plan.seeds)),
        "limit": str(run.limit),
        "partial": str(run.scope.partial),
        "gates_sha256": str(run.gates_sha256),
    }
