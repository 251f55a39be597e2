"""Runs of pytest: as they should be, with things that are wrong, and with every flag."""

from __future__ import annotations

from .commands import Command, in_all_of_a_run, shown
from .places import canary
from .running import PRINTED

PASSED = "RELEASE GATE: PASSED"
FAILED = "RELEASE GATE: FAILED"
EVERYTHING = Command(
    "pytest RUN LOUD --robust-occluders=patches,regions(region=lungs)"
    " --robust-corruptions=contrast,jpeg --robust-text-noise=typos"
    " --robust-severities=1 --robust-counterfactuals --robust-search-images=2"
    " --robust-search-grid=4 --robust-metrics=own-metric",
    PASSED,
)
"""Every family, search and report. Commands of saved runs read it as `candidate`."""
QUIET = Command("pytest RUN -q", PASSED)
"""A run of two cells, which they read as `baseline`."""
_OWN = "pytest RUN LOUD --robust-report=own.own --robust-metrics=own-metric"
_SHOWN = "pytest RUN LOUD --robust-datasets=shown"
_PLACED = "CanaryError at conftest.py"
_WRONG = "pytest RUN LOUD"
_REMOTE = "address with a password"
_LOCAL = f"--robust-models=local-dir:{{project}}/../../{canary('checkpoint')}/candidate"
_BASELINE = "--robust-baseline={project}/baseline"
_WHOLE = (
    "error message, error note, error cause, local variable, source line, elsewhere"
)

WITH_WRONG_DATA = (
    Command(_WRONG, "RELEASE GATE:", 1, "gate not met"),
    Command(_WRONG, FAILED, 1, "image missing"),
    Command(_WRONG, FAILED, 1, "image broken"),
    Command(_WRONG, FAILED, 1, "image a FIFO"),
    Command(_WRONG, FAILED, 1, "image of floats"),
    Command(_WRONG, PASSED, 0, "DICOM that warns"),
    Command(_WRONG, FAILED, 1, "image above the root"),
    # The option `root`, as it was typed.
    Command(_WRONG, FAILED, 1, "image elsewhere", shows=in_all_of_a_run("data folder")),
    Command(_WRONG, FAILED, 1, "id twice"),
    Command(_WRONG, FAILED, 1, "two texts of one study"),
    Command(_WRONG, PASSED, 0, "blank text"),
    Command(_WRONG, FAILED, 1, "table broken"),
    Command(_WRONG, FAILED, 1, "table not UTF-8"),
    # A path that leads nowhere, as it was typed.
    Command(
        _WRONG,
        FAILED,
        1,
        "table missing",
        shows=in_all_of_a_run("data folder, table file"),
    ),
    Command(_WRONG, FAILED, 1, "column missing"),
    Command(_WRONG, FAILED, 1, "stratum missing"),
    Command(f"{_WRONG} --robust-counterfactuals", PASSED, 0, "edits broken"),
    Command(f"{_WRONG} --robust-datasets=remote", FAILED, 1, _REMOTE),
    Command(f"{_WRONG} --robust-models=remote", FAILED, 1, _REMOTE),
    Command(_WRONG, "robust.toml", 4, "policy broken"),
    Command(_WRONG, "robust.toml", 4, "policy not UTF-8"),
    Command(f"{_WRONG} --robust-config=robust.toml", "robust.toml", 4, "policy a FIFO"),
    Command(_WRONG, "robust.toml", 4, "table is text"),
    Command(_WRONG, "robust.toml", 4, "path is a list"),
    Command(_WRONG, "robust.toml", 4, "checkpoint is a list"),
    Command(f"{_WRONG} {_LOCAL}", "NOT JUDGED", 1, "checkpoint with canaries"),
    Command(f"{_WRONG} {_LOCAL}", FAILED, 1, "checkpoint's settings broken"),
    Command(f"{_WRONG} {_LOCAL}", FAILED, 1, "checkpoint's weights broken"),
    Command(f"{_WRONG} {_LOCAL}", FAILED, 1, "checkpoint's tokenizer broken"),
    Command(
        _WRONG,
        "Expected the tracking server",
        0,
        "tracking",
        variables={"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"},
    ),
    Command(_WRONG, "robust.toml", 4, "unknown option"),
    # pytest itself names the file of a module that cannot be imported.
    Command(
        _WRONG,
        "nowhere_to_be_found",
        2,
        "suite broken",
        shows=shown("home", PRINTED, "junit.xml", "pytest.html"),
    ),
    Command(
        f"{_WRONG} --robust-models=tiny-cxr-clip --robust-measure-only",
        "MEASURED ONLY",
        0,
        "shards broken",
    ),
)
WITH_WRONG_CODE = (
    Command(_OWN, "CanaryError", 4, failing="register"),
    Command(_OWN, _PLACED, 1, failing="load"),
    Command(_OWN, _PLACED, 1, failing="prepare"),
    Command(_OWN, _PLACED, 1, failing="images"),
    Command(_OWN, _PLACED, 1, failing="reports"),
    Command(_OWN, "RuntimeError at conftest.py", 1, failing="cuda"),
    Command(_OWN, FAILED, 1, failing="memory"),
    Command(_OWN, "SystemExit at conftest.py", 1, failing="exit"),
    Command(_OWN, "AssertionError at conftest.py", 1, failing="no words"),
    Command(_OWN, FAILED, 1, failing="NaN"),
    Command(_OWN, FAILED, 1, failing="one row"),
    Command(_OWN, "ValueError at conftest.py", 1, failing="quoted report"),
    Command(_OWN, "KeyError at conftest.py", 1, failing="missing word"),
    Command(_OWN, FAILED, 1, failing="text rows"),
    Command(_OWN, _PLACED, 1, failing="metric"),
    Command(_OWN, _PLACED, 1, failing="render"),
    Command(_SHOWN, PASSED, 0),
    Command(_SHOWN, _PLACED, 1, failing="own image"),
    Command(_SHOWN, FAILED, 1, failing="no image"),
    Command(_SHOWN, _PLACED, 1, failing="own patients"),
    Command(_SHOWN, FAILED, 1, failing="few patients"),
)
WITH_FLAGS = (
    # A test that fails with every object of ours among its variables.
    Command("pytest shown SETTINGS REPORTS LOUD", "FAILED shown/test_shown.py", 1),
    Command("pytest RUN --collect-only", "test_recall[toy-clinic"),
    Command("pytest RUN --collect-only -qq", "test_recall"),
    Command("pytest RUN --fixtures -vv", "retrieval_dataset"),
    Command("pytest RUN --setup-plan -vv", "test_recall[toy-clinic"),
    Command("pytest RUN --full-trace -s", FAILED, 1, failing="images"),
    Command("pytest RUN --tb=native -Walways", FAILED, 1, failing="images"),
    Command("pytest RUN -x --lf", FAILED, 1, failing="images"),
    Command("pytest RUN --robust-measure-only", "MEASURED ONLY"),
    Command("pytest RUN --robust-no-cache", PASSED),
    Command("pytest RUN --robust-limit=6", "RELEASE GATE"),
    Command(
        "pytest RUN --robust-replay={project}/candidate"
        f" {_BASELINE} --robust-reference={{project}}/baseline",
        PASSED,
    ),
    Command(f"pytest RUN LOUD {_BASELINE}", PASSED),
    Command(f"pytest RUN {_BASELINE}", "run.json", 4, "saved run broken"),
    Command(
        "pytest RUN --robust-replay={project}/baseline", "ranks.npz", 4, "ranks broken"
    ),
    Command(
        f"pytest RUN --robust-attempts=attempts.jsonl {_BASELINE}",
        "attempts.jsonl",
        4,
        "ledger broken",
    ),
    Command("pytest RUN --robust-config={project}/no.toml", "no.toml", 4),
    Command("pytest RUN --robust-results={project}/pytest.ini", "pytest.ini", 4),
    Command("pytest RUN --robust-report={project}/pytest.ini/a.md", "a.md", 4),
    Command("pytest RUN --robust-models=too", "too", 4),
    Command("pytest RUN --robust-datasets=clinc", "clinc", 4),
    Command("pytest RUN --robust-models=local-dir:{project}/../no", "no", 1),
    # What the user asks to be shown.
    Command(
        "pytest RUN --robust-show-samples --robust-search-images=2",
        PASSED,
        shows=shown("report", "report.html"),
    ),
    Command(
        "pytest RUN LOUD --robust-full-tracebacks",
        "whole traceback of",
        1,
        failing="images",
        shows=shown(f"{_WHOLE}, home", PRINTED),
    ),
    Command(
        "pytest RUN",
        "canaryoferrormessage",
        1,
        failing="images",
        variables={"RETRIEVAL_ROBUST_SHOW_ERRORS": "1"},
        # The message of an exception holds its arguments, of which one is the variable.
        shows=in_all_of_a_run("error message, local variable"),
    ),
)
# One worker: a model of its own code fails, and the next one ends the process.
WITH_WORKERS = (
    Command(
        "pytest RUN LOUD -n1 --max-worker-restart=0 --robust-models=toy,deadly"
        " --robust-full-tracebacks",
        "crashed",
        1,
        failing="images",
        shows=shown(f"{_WHOLE}, home", PRINTED),
    ),
)
RUNS = (
    EVERYTHING,
    QUIET,
    *WITH_WRONG_DATA,
    *WITH_WRONG_CODE,
    *WITH_FLAGS,
    *WITH_WORKERS,
)
