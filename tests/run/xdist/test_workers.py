"""Runs under pytest-xdist as a user meets them, on the embedded model: once with workers that
are started, otherwise with forked ones. `test_scheduling` has the details.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ...conftest import THREE_LINES, Run

NAMES = ("ours", "ours-2", "ours-2-b")
"""Of one network under three names, each of which begins the next."""
OPTIONS = (
    f"--robust-models={','.join(NAMES)}",
    "--robust-limit=24",
    "--robust-levels=0.3",
    "-p",
    "no:cacheprovider",
)
THREE_MODELS = f"""
from pathlib import Path

import pytest
from pytest_retrieval_robust.models import ModelEntry

LOADS = Path(__file__).parent / "loads.txt"

def entry(name):
    def load(request):
        from pytest_retrieval_robust import load_model

        with LOADS.open("a") as stream:
            stream.write(f"{{name}}\\n")
        model = load_model("tiny-cxr-clip", device=request.device)
        model.name = name
        return model

    return ModelEntry(name, name, load)

@pytest.hookimpl(optionalhook=True)
def pytest_robust_register(catalogues):
    for name in {NAMES!r}:
        catalogues.models.add(entry(name))
"""
ONE_DIES = f"""
import os, signal

import pytest
from pytest_retrieval_robust.models import ModelCard, ModelEntry, Prepared

class Pixels:
    device, frame, card = "cpu", (0.0, 0.0, 1.0, 1.0), ModelCard("test")

    def __init__(self, name):
        self.name = name

    def prepare(self, image):
        import numpy as np

        pixels = np.asarray(image.convert("RGB").resize((16, 16)))
        return Prepared(pixels.transpose(2, 0, 1).copy(), self.frame)

    def encode_images(self, pixels):
        import torch

        if self.name == os.environ["DIES"]:
            os.kill(os.getpid(), signal.SIGKILL)
        return torch.nn.functional.normalize(pixels[:, 0].flatten(1) + 0.01, dim=1)

    def encode_reports(self, texts):
        import torch

        rows = torch.tensor([[float(len(text) + place) for place in range(256)] for text in texts])
        return torch.nn.functional.normalize(rows, dim=1)

def entry(name):
    return ModelEntry(name, name, lambda request: Pixels(name))

@pytest.hookimpl(optionalhook=True)
def pytest_robust_register(catalogues):
    for name in {NAMES!r}:
        catalogues.models.add(entry(name))
"""
SUITE = f"""
import pytest
{THREE_LINES}
def test_curve(robustness_curve):
    assert robustness_curve.levels == (0.0, 0.3)

@pytest.mark.parametrize("number", range(6))
def test_of_others(number):
    pass

@pytest.mark.parametrize("retrieval_model", ["ours-2"], indirect=True)
def test_of_one_model(retrieval_model):
    assert retrieval_model.name == "ours-2"

def test_without_a_model(occluder):
    assert occluder.name == "patches"
"""
VARYING = ("id", "started", "command", "content_sha256")


def saved(folder: Path) -> dict[str, Any]:
    """The saved run, but for what no two runs have in common."""
    run: dict[str, Any] = json.loads((folder / "run.json").read_text())
    for name in VARYING:
        del run["run"][name]
    for outcome in run["outcomes"]:
        del outcome["timing"]
    return run


def samples(page: Path) -> str:
    """The part of a page that shows images and texts."""
    return (
        page.read_text(encoding="utf-8")
        .split('<section id="samples"')[1]
        .split("</section>")[0]
    )


def summary(result: pytest.RunResult) -> list[str]:
    start = next(
        line_number
        for line_number, line in enumerate(result.outlines)
        if "retrieval robustness" in line
    )
    end = next(
        line_number
        for line_number, line in enumerate(result.outlines)
        if line.startswith("RELEASE GATE: ")
    )
    return [
        line
        for line in result.outlines[start : end + 1]
        if not line.startswith(("results: ", "report: "))
    ]


@pytest.mark.usefixtures("forked_workers")
def test_two_workers_load_each_model_once_and_save_and_say_what_one_process_does(
    pytester: pytest.Pytester,
) -> None:
    pytester.makeconftest(THREE_MODELS)
    pytester.makepyfile(test_mine=SUITE)
    (pytester.path / "robust.toml").write_text(
        '[[gate]]\nmodel = "ours*"\nrecall = { 10 = 0.5 }\n'
    )
    page = ("--robust-show-samples", "--robust-report")
    alone = pytester.runpytest_inprocess(
        *OPTIONS, "--robust-results=alone", *page, "alone.html"
    )
    loads = pytester.path / "loads.txt"
    assert sorted(loads.read_text().split()) == sorted(NAMES)
    loads.unlink()
    spread = pytester.runpytest_inprocess(
        *OPTIONS,
        "--robust-results=spread",
        "--robust-report=spread.md",
        *page,
        "spread.html",
        "-n",
        "2",
    )
    for result in (alone, spread):
        result.assert_outcomes(passed=17)
        assert result.ret == 0
    assert summary(spread) == summary(alone)
    assert sorted(loads.read_text().split()) == sorted(NAMES)
    assert saved(pytester.path / "spread") == saved(pytester.path / "alone")
    assert (
        (pytester.path / "spread.md")
        .read_text(encoding="utf-8")
        .startswith("## ✓ Release gate passed")
    )
    ranks = [
        (pytester.path / name / "ranks.npz").read_bytes()
        for name in ("alone", "spread")
    ]
    assert ranks[0] == ranks[1]
    pages = [samples(pytester.path / f"{name}.html") for name in ("alone", "spread")]
    assert pages[0] == pages[1]
    assert re.findall('<h3 class="sheet"><bdi>(.*?)</bdi>', pages[0]) == list(NAMES)
    assert pages[0].count("<img") >= 2 * 2 * len(NAMES)


def test_a_worker_that_is_started_saves_and_says_what_one_process_does(
    run_suite: Run, pytester: pytest.Pytester
) -> None:
    """It imports all that it needs, and is told the options of a run by messages alone."""
    results = [
        run_suite("--robust-results=alone"),
        run_suite("--robust-results=spread", "-n1"),
    ]
    alone, spread = (pytester.path / name for name in ("alone", "spread"))
    assert [result.ret for result in results] == [0, 0]
    assert summary(results[0]) == summary(results[1])
    assert saved(spread) == saved(alone)
    assert (spread / "ranks.npz").read_bytes() == (alone / "ranks.npz").read_bytes()


Dying = Callable[..., pytest.RunResult]


@pytest.fixture
def run_dying(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Dying:
    """Run the suite with three models, one of which ends its process."""
    pytester.makeconftest(ONE_DIES)
    pytester.makepyfile(test_mine=SUITE)

    def run(model: str, *options: str) -> pytest.RunResult:
        monkeypatch.setenv("DIES", model)
        return pytester.runpytest_inprocess(*OPTIONS, *options)

    return run


@pytest.mark.usefixtures("forked_workers")
def test_a_worker_that_dies_fails_the_gate_and_the_other_models_are_measured(
    run_dying: Dying, pytester: pytest.Pytester
) -> None:
    result = run_dying("ours-2", "--robust-results=out", "-n", "2")
    assert result.ret == 1
    # The worker died in one test of the model, and the two others that measure it are left out.
    result.assert_outcomes(passed=14, failed=1, skipped=2)
    result.stdout.fnmatch_lines(
        [
            "worker 'gw*' crashed while running 'test_mine.py::*ours-2*",
            "  a worker of pytest-xdist died in it*",
            "not tested: ours-2: a worker died in*",
            (
                "RELEASE GATE: FAILED because a worker died in a test of ours-2; ours-2"
                " had to be tested and was not; *"
            ),
        ]
    )
    run = saved(pytester.path / "out")
    assert {outcome["case"]["model"] for outcome in run["outcomes"]} == {
        "ours",
        "ours-2-b",
    }
    assert [model["status"] for model in run["models"]] == [
        "tested",
        "not tested",
        "tested",
    ]


@pytest.mark.usefixtures("forked_workers")
def test_without_further_workers_a_death_still_ends_in_a_verdict(
    run_dying: Dying,
) -> None:
    result = run_dying("ours", "-n", "1", "--max-worker-restart=0", "-x")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["RELEASE GATE: FAILED because a worker died in a test of ours; *"]
    )


@pytest.mark.usefixtures("forked_workers")
def test_a_usage_error_reads_the_same_under_xdist(run_suite: Run) -> None:
    result = run_suite("-n", "2", "--robust-models=tiny-cxr-clop")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*Did you mean 'tiny-cxr-clip'*"])


@pytest.mark.usefixtures("forked_workers")
def test_a_foreign_suite_on_two_workers_hears_nothing_of_us(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        "import pytest\n@pytest.mark.parametrize('n', range(9))\ndef test_other(n):"
        " pass"
    )
    result = pytester.runpytest_inprocess("-n", "2")
    result.assert_outcomes(passed=9)
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*robust*[!0-9.,]")
    result.stdout.no_fnmatch_line("*RELEASE GATE*")
