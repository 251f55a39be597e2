"""The script for a GPU runs whole on a processor and on an emulated device, and says
what fails.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from benchmarks.gpu import __main__ as script
from benchmarks.gpu.page import tables
from benchmarks.gpu.steps import Check, Figure, Notebook, Setting, Step, Target
from benchmarks.hostile.children import start

from .emulated_device import emulated


def run(tmp_path: Path, *arguments: str) -> tuple[int, dict[str, object]]:
    status = script.main([*arguments, "--out", str(tmp_path)])
    results: dict[str, object] = json.loads((tmp_path / "gpu.json").read_text())
    return status, results


def test_every_step_holds_on_a_processor(tmp_path: Path) -> None:
    status, results = run(tmp_path, "--device", "cpu", "--quick")
    assert status == 0
    assert results["skipped"] == {"memory": "it needs a card"}
    seconds = results["seconds"]
    assert isinstance(seconds, dict)
    assert {*seconds, "memory"} == {step.name for step in script.STEPS}


def test_every_step_holds_on_an_emulated_device(tmp_path: Path) -> None:
    with emulated("cuda:0"):
        status, results = run(tmp_path, "--device", "cuda", "--quick")
    assert status == 0
    checks = results["checks"]
    assert isinstance(checks, list)
    assert {check["step"] for check in checks} >= {"masks", "ranks", "parity"}


def failing(_: Setting, notebook: Notebook) -> None:
    notebook.check("one is one", True)
    notebook.check("one is two", len("1") == 2, "1")


def raising(_: Setting, notebook: Notebook) -> None:
    notebook.figure("a figure", [3.0, 1.0, 2.0], "s", Target(1.5))
    raise RuntimeError("no such device")


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three steps, of which the last has no time."""
    chosen = (
        Step("first", 1, failing),
        Step("second", 1, raising),
        Step("third", 1000, failing),
    )
    monkeypatch.setattr(script, "STEPS", chosen)


@pytest.mark.usefixtures("steps")
def test_what_fails_is_said_and_the_other_steps_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, results = run(tmp_path, "--device", "cpu")
    assert status == 1
    printed = capsys.readouterr().out
    assert "PASS first: one is one" in printed
    assert "FAIL first: one is two 1" in printed
    assert "FIGURE second: a figure 2 s [1-3] target at most 1.5 missed" in printed
    assert "FAIL second: runs to its end RuntimeError: no such device" in printed
    assert "SKIP third: 34" in printed  # some 345 s are left, too few
    written = tables(results)
    assert "| first | one is two | FAIL | 1 |" in written
    assert "| second | a figure | 2 s | 1 to 3 | at most 1.5 | missed |" in written


@pytest.mark.usefixtures("steps")
def test_chosen_steps_alone_run(tmp_path: Path) -> None:
    _, results = run(tmp_path, "--device", "cpu", "--only", "second")
    assert results["figures"]
    assert len(results["checks"]) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "arguments", [["--only", "first,sevnth"], ["--page", "docs/gpu.md"]]
)
def test_bad_arguments_are_refused_before_anything_runs(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        script.main(["--device", "cpu", *arguments])
    assert stopped.value.code == 2
    assert "Expected" in capsys.readouterr().err


def test_a_device_that_hangs_is_given_up(tmp_path: Path) -> None:
    """In a process of its own, since the watchdog ends it."""

    def hang() -> int:
        script.STEPS = (Step("hang", 0, lambda *_: time.sleep(60)),)
        script._GRACE = 0.0
        return script.main(["--device", "cpu", "--limit", "1", "--out", str(tmp_path)])

    ended = start(hang, tmp_path / "output").wait(50)
    assert ended.status == 1
    results = json.loads((tmp_path / "gpu.json").read_text())
    assert [check["name"] for check in results["checks"]] == ["ends in time"]


@pytest.mark.parametrize(
    ("value", "target", "verdict"),
    [
        (1.1, Target(1.1), "met"),
        (1.2, Target(1.1), "missed"),
        (0.9, Target(1.0, "at least"), "missed"),
        (1.0, None, ""),
    ],
)
def test_a_figure_meets_its_target_or_misses_it(
    value: float, target: Target | None, verdict: str
) -> None:
    figure = Figure("step", "name", value, value, value, "", target)
    assert figure.verdict == verdict


def test_a_check_prints_its_verdict() -> None:
    assert str(Check("masks", "fills", True, "3 tried")) == "PASS masks: fills 3 tried"
    assert str(Check("masks", "fills", False)) == "FAIL masks: fills"
