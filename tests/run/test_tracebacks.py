"""Where the user's own code fails, the end of its traceback is shown, and no text of it."""

from __future__ import annotations

import json

import pytest

from ..conftest import ANY_MODEL, THREE_LINES, Run

CANARY = "Jane Doe"
HELPERS = f"""\
def fail(text="{CANARY}"):
    report = text + ", born 1950"
    raise ValueError(report)
"""
CONFTEST = """
import helpers
import pytest_retrieval_robust
from pytest_retrieval_robust.models import ModelEntry
from pytest_retrieval_robust.datasets import DatasetEntry
from pytest_retrieval_robust.occluders import OccluderEntry
from pytest_retrieval_robust.reports import ReportEntry
from pytest_retrieval_robust.retrieval.metrics import MetricEntry

PLACE = "{place}"

def fail_at(place):
    if PLACE == place:
        helpers.fail()

def load(request):
    fail_at("loader")
    model = pytest_retrieval_robust.load_model("tiny-cxr-clip", device="cpu")
    model.name = "mine"
    images, texts, prepare = model.encode_images, model.encode_reports, model.prepare

    def encode_images(pixels):
        fail_at("encoder")
        return images(pixels)

    def prepare_image(image):
        fail_at("prepare")
        return prepare(image)

    model.encode_images = encode_images
    model.prepare = prepare_image
    return model

class Wrapped:
    def __init__(self, dataset):
        self._dataset = dataset

    name = "my-data"

    def __getattr__(self, name):
        return getattr(self._dataset, name)

    def image(self, index):
        fail_at("image")
        return self._dataset.image(index)

    @property
    def reports(self):
        fail_at("member")
        return self._dataset.reports

def open_data():
    fail_at("data set")
    return Wrapped(pytest_retrieval_robust.load_dataset("synthetic-cxr"))

def metric(ranks):
    fail_at("metric")
    return 1.0

def render(run):
    fail_at("report")
    return ""

def pytest_robust_register(catalogues):
    fail_at("hook")
    catalogues.models.add(ModelEntry("mine", "fails", load))
    catalogues.datasets.add(DatasetEntry("my-data", "fails", open_data))
    catalogues.metrics.add(MetricEntry("my-metric", "fails", {}, lambda: metric))
    catalogues.reports.add(ReportEntry("mine", "fails", render))
"""
PLACES = [
    "loader",
    "encoder",
    "prepare",
    "data set",
    "member",
    "image",
    "metric",
    "report",
    "hook",
]


@pytest.fixture
def failing(pytester: pytest.Pytester) -> Run:
    """Run a small suite on code of the user's own that fails at a place."""
    pytester.makepyfile(test_mine=THREE_LINES, helpers=HELPERS)
    (pytester.path / "robust.toml").write_text(ANY_MODEL)

    def run(place: str, *options: str) -> pytest.RunResult:
        pytester.makeconftest(CONFTEST.replace("{place}", place))
        return pytester.runpytest_inprocess(
            "--robust-models=mine",
            "--robust-datasets=my-data",
            "--robust-metrics=my-metric",
            "--robust-levels=0.3",
            "--robust-limit=16",
            "--robust-no-cache",
            "--robust-results=out",
            "--robust-report=report.mine",
            "-pno:cacheprovider",
            *options,
        )

    return run


@pytest.mark.parametrize("place", PLACES)
def test_own_lines_are_shown_and_nothing_that_they_hold(
    failing: Run, pytester: pytest.Pytester, place: str
) -> None:
    result = failing(place)
    assert result.ret != 0
    output = f"{result.stdout.str()}\n{result.stderr.str()}"
    title = output.index("The end of the traceback in your own code")
    lines = output[title:].splitlines()[1:]
    end = lines.index("  helpers.py:3 in fail: ValueError")
    assert lines[end - 1].startswith("  conftest.py:")
    assert lines[end - 1].endswith(" in fail_at")
    assert all(line.startswith("  conftest.py:") for line in lines[:end])
    assert CANARY not in output
    for saved in pytester.path.glob("out/*.json"):
        assert CANARY not in saved.read_text()


def test_all_is_shown_where_it_was_asked_for_but_never_kept(
    failing: Run, pytester: pytest.Pytester
) -> None:
    result = failing("encoder", "--robust-full-tracebacks", "--junit-xml=out/junit.xml")
    result.stdout.fnmatch_lines(["*whole traceback of test_mine.py::*"])
    result.stdout.fnmatch_lines([f"ValueError: {CANARY}, born 1950"])
    assert result.stdout.str().count(f"ValueError: {CANARY}") == 1
    for name in ("run.json", "junit.xml"):
        assert CANARY not in (pytester.path / "out" / name).read_text()
    assert "ModelError" in (pytester.path / "out/junit.xml").read_text()
    # It holds for that run alone.
    assert CANARY not in failing("encoder").stdout.str()


@pytest.mark.parametrize("value", ["1", "full"])
def test_a_run_that_holds_foreign_texts_says_so(
    failing: Run,
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    value: str,
) -> None:
    monkeypatch.setenv("RETRIEVAL_ROBUST_SHOW_ERRORS", value)
    result = failing("encoder")
    text = (pytester.path / "out/run.json").read_text()
    assert CANARY in text
    (warning,) = [
        warning
        for warning in json.loads(text)["run"]["warnings"]
        if "SHOW_ERRORS" in warning
    ]
    assert "may quote reports, names and paths" in warning
    result.stdout.fnmatch_lines(["*RETRIEVAL_ROBUST_SHOW_ERRORS was set: *"])
    monkeypatch.delenv("RETRIEVAL_ROBUST_SHOW_ERRORS")
    failing("encoder", "--robust-results=without")
    assert "SHOW_ERRORS was" not in (pytester.path / "without/run.json").read_text()


def test_no_report_of_another_plugin_has_it(
    failing: Run, pytester: pytest.Pytester
) -> None:
    """Some write all that a test report holds."""
    (pytester.path / "writer.py").write_text(
        """
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logreport(report):
    with open("written.txt", "a") as file:
        file.write(repr(vars(report)))
"""
    )
    pytester.syspathinsert()
    result = failing("encoder", "--robust-full-tracebacks", "-pwriter")
    assert CANARY in result.stdout.str()
    assert CANARY not in (pytester.path / "written.txt").read_text()
