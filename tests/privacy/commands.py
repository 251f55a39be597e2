"""The columns of the table: every command, flag and failure whose outputs are searched.

To add a command, add a row here. `says` must be in what it prints, so that no row is
searched which never came to what it is about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .failures import FAILURES
from .running import PRINTED
from .users_code import FAILING

Shown = frozenset[tuple[str, str]]
"""(place, output)"""


@dataclass(frozen=True)
class Command:
    """One command in one world.

    Attributes:
        name: What is run, in words.
        words: What is typed, from `pytest` or the command's name on.
        says: A part of what it prints.
        status: Its exit status.
        failure: What is wrong with the project, of `failures.FAILURES`.
        failing: What of the user's own code fails, of `users_code`.
        environment: Further variables.
        shows: The canaries that the user asks to be shown, and where. Each must be there.
    """

    name: str
    words: tuple[str, ...]
    says: str
    status: int = 0
    failure: str | None = None
    failing: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    shows: Shown = frozenset()

    def __post_init__(self) -> None:
        assert self.failure is None or self.failure in FAILURES

    @property
    def variables(self) -> dict[str, str]:
        of_failing = {} if self.failing is None else {FAILING: self.failing}
        return {**of_failing, **self.environment}


def shown(output: str, *places: str) -> Shown:
    return frozenset((place, output) for place in places)


SETTINGS = (
    "--robust-models=toy",
    "--robust-datasets=clinic",
    "--robust-levels=0.2",
    "--robust-k=1,2",
    "--robust-device=cpu",
)
LOUD = (
    "-vv",
    "--showlocals",
    "--tb=long",
    "-rA",
    "--durations=0",
    "-olog_cli=true",
    "-olog_cli_level=DEBUG",
)
"""Everything that pytest can be made to show."""
WRITTEN = (
    "--robust-results={project}/results",
    "--robust-report={project}/report.html",
    "--robust-report={project}/report.md",
    "--robust-report={project}/report.json",
    "--junitxml={project}/junit.xml",
    "-ojunit_logging=all",
    "--html={project}/pytest.html",
    "--self-contained-html",
)
GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_STEP_SUMMARY": "{project}/step.md",
    "GITHUB_WORKSPACE": "{project}",
}
RUN = ("pytest", "gate", *SETTINGS, *WRITTEN)
EVERYTHING = Command(
    "a run with every family, search and report",
    (
        *RUN,
        *LOUD,
        # Embeddings of a model that the package knows are kept in the cache.
        "--robust-models=toy,tiny-cxr-clip",
        "--robust-occluders=patches,regions(region=lungs)",
        "--robust-corruptions=contrast,jpeg",
        "--robust-text-noise=typos",
        "--robust-severities=1",
        "--robust-counterfactuals",
        "--robust-search-images=2",
        "--robust-search-grid=4",
        "--robust-metrics=own-metric",
    ),
    says="RELEASE GATE: PASSED",
    environment=GITHUB,
)
"""The run that the commands of saved runs are given, as `baseline` and `candidate`."""


def failed_run(
    failure: str, says: str = "RELEASE GATE: FAILED", status: int = 1, **more: Shown
) -> Command:
    return Command(
        f"a run: {failure}",
        (*RUN, *LOUD),
        says,
        status,
        failure=failure,
        environment=GITHUB,
        **more,
    )


def failing_code(failing: str, says: str, *, data: str = "clinic") -> Command:
    words = ("--robust-report=own.own", "--robust-metrics=own-metric")
    data_set = f"--robust-datasets={data}"
    return Command(
        f"a run whose own code fails: {failing}",
        (*RUN, *LOUD, *words, data_set),
        says,
        1,
        failing=failing,
        environment=GITHUB,
    )


RUNS = (
    EVERYTHING,
    Command("a quiet run", (*RUN, "-q"), "RELEASE GATE: PASSED"),
    failed_run("gate not met"),
    failed_run("image missing"),
    failed_run("image broken"),
    failed_run("image a FIFO"),
    failed_run("image of floats"),
    failed_run("DICOM that warns", "RELEASE GATE: PASSED", 0),
    failed_run("image above the root"),
    failed_run("image elsewhere"),
    failed_run("id twice"),
    failed_run("two texts of one study"),
    failed_run("blank text", "RELEASE GATE: PASSED", 0),
    failed_run("table broken"),
    failed_run("table not UTF-8"),
    failed_run(
        "table missing", shows=shown(PRINTED, "data folder", "table file")
    ),
    failed_run("column missing"),
    failed_run("stratum missing"),
    failed_run("edits broken"),
    failed_run("policy broken", "robust.toml", 4),
    failed_run("policy not UTF-8", "robust.toml", 4),
    failed_run("policy a folder", "robust.toml", 4),
    failed_run("table is text", "robust.toml", 4),
    failed_run("unknown option", "robust.toml", 4),
    failed_run("suite broken", "nowhere_to_be_found", 2),
    failed_run("shards broken", "RELEASE GATE: PASSED", 0),
)
OWN_CODE = (
    failing_code("register", "CanaryError"),
    failing_code("load", "CanaryError at conftest.py"),
    failing_code("prepare", "CanaryError at conftest.py"),
    failing_code("images", "CanaryError at conftest.py"),
    failing_code("reports", "CanaryError at conftest.py"),
    failing_code("cuda", "RuntimeError at conftest.py"),
    failing_code("memory", "RELEASE GATE: FAILED"),
    failing_code("exit", "SystemExit at conftest.py"),
    failing_code("no words", "AssertionError at conftest.py"),
    failing_code("NaN", "RELEASE GATE: FAILED"),
    failing_code("one row", "RELEASE GATE: FAILED"),
    failing_code("quoted report", "ValueError at conftest.py"),
    failing_code("missing word", "KeyError at conftest.py"),
    failing_code("text rows", "RELEASE GATE: FAILED"),
    failing_code("metric", "CanaryError at conftest.py"),
    failing_code("render", "CanaryError at conftest.py"),
    failing_code("own image", "CanaryError at conftest.py", data="shown"),
    failing_code("no image", "RELEASE GATE: FAILED", data="shown"),
    failing_code("own patients", "CanaryError at conftest.py", data="shown"),
    failing_code("few patients", "RELEASE GATE: FAILED", data="shown"),
)


def flags(
    name: str,
    *words: str,
    says: str,
    status: int = 0,
    failing: str | None = None,
    failure: str | None = None,
    shows: Shown = frozenset(),
    environment: Mapping[str, str] = GITHUB,
) -> Command:
    return Command(
        f"pytest {name}",
        ("pytest", "gate", *SETTINGS, *words),
        says,
        status,
        failure,
        failing,
        environment,
        shows,
    )


FAILED = "RELEASE GATE: FAILED"
FLAGS = (
    Command(
        "a failed test that shows every fixture",
        ("pytest", "shown", *SETTINGS, *WRITTEN, *LOUD),
        "FAILED shown/test_shown.py",
        1,
    ),
    flags("--collect-only", "--collect-only", says="test_recall[toy-clinic"),
    flags("--collect-only -q", "--collect-only", "-qq", says="test_recall"),
    flags("--fixtures", "--fixtures", "-vv", says="retrieval_dataset"),
    flags("--setup-plan", "--setup-plan", "-vv", says="test_recall[toy-clinic"),
    flags("--help", "--help", says="--robust-models"),
    flags(
        "--full-trace", "--full-trace", "-s", *WRITTEN, says=FAILED, status=1, failing="images"
    ),
    flags("--tb=native", "--tb=native", "-Walways", *WRITTEN, says=FAILED, status=1, failing="images"),
    flags("-x --lf", "-x", "--lf", *WRITTEN, says=FAILED, status=1, failing="images"),
    flags(
        "--robust-full-tracebacks",
        "--robust-full-tracebacks",
        *WRITTEN,
        *LOUD,
        says="whole traceback of",
        status=1,
        failing="images",
        shows=shown(
            PRINTED,
            "error message",
            "error note",
            "error cause",
            "local variable",
            "source line",
            "elsewhere",
        ),
    ),
    flags(
        "with RETRIEVAL_ROBUST_SHOW_ERRORS=1",
        *WRITTEN,
        says="canaryoferrormessage",
        status=1,
        failing="images",
        environment={**GITHUB, "RETRIEVAL_ROBUST_SHOW_ERRORS": "1"},
        shows=shown(PRINTED, "error message"),
    ),
    flags(
        "--robust-show-samples",
        *WRITTEN,
        "--robust-show-samples",
        "--robust-search-images=2",
        "--robust-search-grid=4",
        says="RELEASE GATE: PASSED",
        shows=shown("report.html", "report"),
    ),
    flags("--robust-measure-only", "--robust-measure-only", *WRITTEN, says="MEASURED ONLY"),
    flags("--robust-no-cache", "--robust-no-cache", *WRITTEN, says="RELEASE GATE: PASSED"),
    flags("--robust-limit", "--robust-limit=6", *WRITTEN, says="RELEASE GATE"),
    flags(
        "--robust-replay",
        "--robust-replay={project}/candidate",
        "--robust-baseline={project}/baseline",
        "--robust-reference={project}/baseline",
        *WRITTEN,
        *LOUD,
        says="RELEASE GATE: PASSED",
    ),
    flags("--robust-baseline", "--robust-baseline={project}/baseline", *WRITTEN, *LOUD, says="RELEASE GATE: PASSED"),
    flags("--robust-baseline, broken", "--robust-baseline={project}/baseline", *WRITTEN, *LOUD, says="run.json", status=1, failure="saved run broken"),
    flags("--robust-replay, broken", "--robust-replay={project}/baseline", *WRITTEN, says="ranks.npz", status=4, failure="ranks broken"),
    flags("--robust-attempts, broken", "--robust-attempts={project}/attempts.jsonl", "--robust-baseline={project}/baseline", *WRITTEN, says="attempts.jsonl", status=1, failure="ledger broken"),
    flags("--robust-config, missing", "--robust-config={project}/nowhere.toml", says="nowhere.toml", status=4),
    flags("--robust-results in a file", "--robust-results={project}/pytest.ini", says="pytest.ini", status=4),
    flags("--robust-report without a folder", "--robust-report={project}/robust.toml/report.html", says="report.html", status=4),
    flags("--robust-models, unknown", "--robust-models=too", says="too", status=4),
    flags("--robust-datasets, unknown", "--robust-datasets=clinc", says="clinc", status=4),
    flags("--robust-models=local-dir", "--robust-models=local-dir:{project}/../nothing", says="nothing", status=1),
)


def tool(name: str, *words: str, says: str, status: int = 0, failure: str | None = None, failing: str | None = None, shows: Shown = frozenset()) -> Command:
    return Command(name, words, says, status, failure, failing, {}, shows)


INSPECT = ("inspect", "clinic")
TOOLS = (
    tool("inspect", *INSPECT, says="gallery: 8 reports"),
    tool("inspect --images", *INSPECT, "--images", "--against", "clinic", says="gallery: 8"),
    tool(
        "inspect --write-ids",
        *INSPECT,
        "--write-ids={project}/ids.csv",
        "--write-repeats={project}/repeats.csv",
        says="8 ids written to ids.csv",
        shows=shown("ids.csv", "image id"),
    ),
    tool("inspect --tests", *INSPECT, "--tests=gate", "--model=toy", says="gallery: 8"),
    tool("inspect, image missing", *INSPECT, says="missing", status=1, failure="image missing"),
    tool("inspect, image broken", *INSPECT, "--images", says="broken", status=1, failure="image broken"),
    tool("inspect, image elsewhere", *INSPECT, says="outside", status=2, failure="image elsewhere"),
    tool("inspect, table broken", *INSPECT, says="row", status=2, failure="table broken"),
    tool("inspect, table missing", *INSPECT, says="no file", status=2, failure="table missing", shows=shown(PRINTED, "data folder", "table file")),
    tool("inspect, policy broken", *INSPECT, says="robust.toml", status=2, failure="policy broken"),
    tool("inspect, unknown", "inspect", "clinc", says="clinc", status=2),
    tool("rank", "rank", "toy", "clinic", "--tests=gate", "--level=0.2", "--device=cpu", says="rank"),
    tool("rank, own code fails", "rank", "toy", "clinic", "--tests=gate", "--level=0.2", "--device=cpu", says="CanaryError", status=2, failing="images"),
    tool("encode", "encode", "--part=1/1", "gate", *SETTINGS, says="batch"),
    tool("encode, own code fails", "encode", "--part=1/1", "gate", *SETTINGS, says="CanaryError", status=1, failing="images"),
    tool("plan-run", "plan-run", "gate", *SETTINGS, says="clinic"),
    tool("store list", "store", "list", "--cache-dir={project}/cache", says="toy"),
    tool("store verify", "store", "verify", "--cache-dir={project}/cache", says="damaged", status=1, failure="shards broken"),
    tool("store prune", "store", "prune", "--limit=0B", "--cache-dir={project}/cache", says="removed"),
    tool("fingerprint", "fingerprint", "toy", "--tests=gate", "--out={project}/toy.json", says="toy.json"),
    tool("fingerprint, own code fails", "fingerprint", "toy", "--tests=gate", "--out={project}/toy.json", says="CanaryError", status=2, failing="images"),
    tool("plan", "plan", "--from={project}/candidate", "--policy={project}/robust.toml", says="quer"),
    tool("plan, policy broken", "plan", "--from={project}/candidate", "--policy={project}/robust.toml", says="robust.toml", status=2, failure="policy broken"),
    tool("suggest", "suggest", "{project}/candidate", "--force", says="gate"),
    tool("compare", "compare", "{project}/baseline", "{project}/candidate", "--verbose", says="toy"),
    tool("compare --json", "compare", "{project}/baseline", "{project}/candidate", "--json", says="toy"),
    tool("compare, run broken", "compare", "{project}/baseline", "{project}/candidate", says="run.json", status=2, failure="saved run broken"),
    tool("compare, no run", "compare", "{project}/gate", "{project}/candidate", says="run.json", status=2),
    tool("leaderboard", "leaderboard", "{project}/baseline", "--out={project}/board", says="board"),
    tool("card", "card", "{project}/candidate", "--out={project}/card.md", says=""),
    tool("table", "table", "{project}/candidate", "--long", says="clinic"),
    tool("plot", "plot", "{project}/candidate", "--out={project}/figure.svg", says=""),
    tool("init", "init", "{project}/suite", says="copied"),
    tool("init, taken", "init", "{project}/gate", says="Expected a folder without", status=2),
    tool("serve", "serve", "--write={project}/serve.py", says="serve.py"),
)
COMMANDS = (*RUNS, *OWN_CODE, *FLAGS, *TOOLS)
"""Every command, each once."""
