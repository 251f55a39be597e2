"""`[tracking]`: a run on a real MLflow server with its SQLite store, and nothing sent unasked."""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import sys
import time
import urllib.request
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from pytest_retrieval_robust.core.config_file import TrackingTable, read_config_file
from pytest_retrieval_robust.core.errors import ConfigError, RobustError
from pytest_retrieval_robust.reports.run_series import series_of
from pytest_retrieval_robust.reports.tracking import metrics_of, send

from ..conftest import ANY_MODEL, Run
from .nasty_names import NASTY
from .records import record, renamed

SERVER_STARTS_IN = 120


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of this test's own; skipped where MLflow is not installed whole."""
    reason = "MLflow's server is not installed: pip install mlflow"
    # In this order: what MLflow imports for a server it does only beside Uvicorn.
    for name in ("uvicorn", "mlflow.server", "mlflow.server.fastapi_app"):
        pytest.importorskip(name, reason=reason)
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # A fork has imported MLflow already, which takes two processes of `mlflow server` ten seconds.
    process = multiprocessing.get_context("fork").Process(
        target=_serve, args=(folder, port)
    )
    process.start()
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address, process, folder / "log")
        yield address
    finally:
        process.kill()
        process.join()


def _serve(folder: Path, port: int) -> None:
    """What `mlflow server` has its own processes do."""
    import uvicorn
    from mlflow.server import constants, fastapi_app

    os.chdir(folder)
    os.environ[constants.BACKEND_STORE_URI_ENV_VAR] = f"sqlite:///{folder}/store.db"
    os.environ[constants.ARTIFACTS_DESTINATION_ENV_VAR] = str(folder / "files")
    os.environ[constants.ARTIFACT_ROOT_ENV_VAR] = "mlflow-artifacts:/"
    os.environ[constants.SERVE_ARTIFACTS_ENV_VAR] = "true"
    log = os.open("log", os.O_CREAT | os.O_WRONLY)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.stdout = sys.stderr = os.fdopen(2, "w", closefd=False)
    uvicorn.run(fastapi_app.app, host="127.0.0.1", port=port)


def _wait_for(address: str, process: BaseProcess, log: Path) -> None:
    end = time.monotonic() + SERVER_STARTS_IN
    while time.monotonic() < end and process.is_alive():
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    pytest.fail(log.read_text()[-2000:])


def client_of(address: str) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=address)


def test_metrics_curves_and_reports_arrive(server: str, tmp_path: Path) -> None:
    run = record(tmp_path, models=("ours", "<b>"))
    name = send(run, TrackingTable(server, "gate"))
    client = client_of(server)
    sent = client.get_run(name)
    assert sent.data.tags["release_gate"] == "failed"
    assert sent.data.params["gates_sha256"] == run.gates_sha256
    history = client.get_metric_history(
        name, "ours/d/patches/image-to-report/recall_at_10"
    )
    assert {one.step / 1000: one.value for one in history} == pytest.approx(
        run.curves[0].recall(10)
    )
    assert {"ours"} < {metric.partition("/")[0] for metric in sent.data.metrics}
    assert sent.info.status == "FINISHED"
    assert {one.path for one in client.list_artifacts(name)} == {
        "report.html",
        "run.json",
    }
    got = client.download_artifacts(name, "run.json", str(tmp_path))
    assert json.loads(Path(got).read_text())["run"]["id"] == run.identity.id


def test_a_run_is_sent_where_the_table_asks_for_it(
    server: str, run_suite: Run, pytester: pytest.Pytester
) -> None:
    tracking = f'[tracking]\nmlflow = "{server}"\nexperiment = "from pytest"\n'
    (pytester.path / "robust.toml").write_text(tracking + ANY_MODEL)
    result = run_suite()
    assert result.ret == 0
    assert "View run" not in result.stdout.str()
    assert run_suite("-k", "nothing").ret != 0
    client = client_of(server)
    (sent,) = client.search_runs(
        [client.get_experiment_by_name("from pytest").experiment_id]
    )
    assert sent.data.tags["release_gate"] == "passed"


@pytest.mark.parametrize(
    "name",
    [*NASTY, "patches(fill=mean,grid=4)", "..", "a:b/c", "ü"],
    ids=range(len(NASTY) + 4),
)
def test_the_server_takes_every_name(server: str, tmp_path: Path, name: str) -> None:
    run = renamed(record(tmp_path, 40, gates="", levels=(0.0, 0.2)), {"patches": name})
    sent = client_of(server).get_run(send(run, TrackingTable(server, "names")))
    assert sent.info.status == "FINISHED"
    assert len(sent.data.metrics) == len(
        {name for name, _, _ in metrics_of(series_of(run))}
    )


def test_a_refusal_is_told_by_its_code_and_without_the_address(
    server: str, tmp_path: Path
) -> None:
    client = client_of(server)
    client.delete_experiment(client.create_experiment("deleted"))
    address = server.replace("//", "//jane:s3cret@")
    with pytest.raises(
        RobustError, match="RestException INVALID_PARAMETER_VALUE"
    ) as caught:
        send(
            record(tmp_path, 40, gates="", levels=(0.0, 0.2)),
            TrackingTable(address, "deleted"),
        )
    assert "s3cret" not in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)


def test_a_server_that_goes_away_costs_no_minutes(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[str | None] = []

    def gone(*_: object) -> None:
        waited.append(os.environ.get("MLFLOW_HTTP_REQUEST_MAX_RETRIES"))
        raise ConnectionError("gone")

    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
    for name in ("log_text", "set_terminated"):
        monkeypatch.setattr(f"mlflow.MlflowClient.{name}", gone)
    with pytest.raises(RobustError, match="got ConnectionError"):
        send(
            record(tmp_path, 40, gates="", levels=(0.0, 0.2)),
            TrackingTable(server, "gone"),
        )
    assert waited == ["2", "0"]
    assert "MLFLOW_HTTP_REQUEST_MAX_RETRIES" not in os.environ


def test_a_run_that_breaks_off_is_marked_as_failed(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> str:
        raise ConnectionError("the network went away")

    monkeypatch.setattr("pytest_retrieval_robust.reports.tracking.render_json", broken)
    with pytest.raises(RobustError, match="got ConnectionError"):
        send(record(tmp_path), TrackingTable(server, "broken off"))
    client = client_of(server)
    (sent,) = client.search_runs(
        [client.get_experiment_by_name("broken off").experiment_id]
    )
    assert sent.info.status == "FAILED"


def test_without_the_table_mlflow_is_not_even_imported(
    run_suite: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    result = run_suite()
    assert result.ret == 0
    assert "MLflow" not in result.stdout.str()


def test_without_mlflow_the_extra_is_named_and_the_gate_passes(
    run_suite: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    (pytester.path / "robust.toml").write_text(
        f'[tracking]\nmlflow = "http://127.0.0.1:1"\n{ANY_MODEL}'
    )
    result = run_suite()
    assert result.ret == 0
    assert "pytest-retrieval-robust[tracking]" in result.stdout.str().replace(
        "\n  ", " "
    )


def test_a_server_that_cannot_be_reached_is_an_error_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(RobustError, match="Expected the tracking server"):
        send(record(tmp_path), TrackingTable("http://127.0.0.1:1", "gate"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tracking]\n", r"line 1: expected mlflow = "),
        (
            "[tracking]\nmlflow = 3\n",
            r"line 2: expected a text, got mlflow=3",
        ),
        (
            '[tracking]\nmlflow = ["//SECRET"]\n',
            r"line 2: expected a text, got mlflow=a value of type list",
        ),
        (
            '[tracking]\nmlflow = "jane:SECRET@host"\n',
            r"line 2: expected mlflow = .* got one without ://",
        ),
        (
            'tracking = "http://jane:SECRET@h"\n',
            r"expected a table \[tracking\], got a path or an address",
        ),
        (
            '[tracking]\nmlflow = "x"\nexperimnt = "y"\n',
            r"line 3: .*Did you mean 'experiment'",
        ),
    ],
)
def test_a_wrong_table_says_where(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "robust.toml").write_text(text)
    with pytest.raises(ConfigError, match=said) as caught:
        read_config_file(tmp_path / "robust.toml")
    assert "SECRET" not in str(caught.value)


def test_names_of_metrics_are_what_mlflow_takes(tmp_path: Path) -> None:
    run = renamed(record(tmp_path, levels=(0.0, 0.2)), {"ours": "../<b> مدل@7" * 40})
    for name, _, _ in metrics_of(series_of(run)):
        assert len(name) <= 250
        assert not set(name) - set(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-. :/"
        )


@pytest.mark.parametrize(
    "error", [ValueError("of Jane Roe"), SystemExit("of Jane Roe"), MemoryError()]
)
def test_what_mlflow_raises_is_told_by_its_kind_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def raises(*_: object) -> str:
        raise error

    pytest.importorskip("mlflow")
    monkeypatch.setattr("pytest_retrieval_robust.reports.tracking._send", raises)
    with pytest.raises(RobustError, match=f"got {type(error).__name__}") as caught:
        send(
            record(tmp_path, 40, gates="", levels=(0.0, 0.2)),
            TrackingTable("http://roe:secret@127.0.0.1:9", "x"),
        )
    assert caught.value.__context__ is None
    assert "Roe" not in str(caught.value)
