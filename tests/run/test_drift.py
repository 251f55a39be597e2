"""Fingerprints in a run: written by the command, compared by the copied test, saved, judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_retrieval_robust.__main__ import main
from pytest_retrieval_robust.run.commands.init import suite_folder

pytestmark = pytest.mark.usefixtures("one_thread")
# Two models of numpy, so that nothing has to be loaded: "ours" follows GAIN, "theirs" not.
CONFTEST = """
import os
from pathlib import Path

import numpy as np
import pytest
from pytest_retrieval_robust import ModelEntry, encoder_from_callables

def encode_images(pixels):
    return np.stack([pixels.mean((1, 2, 3)), pixels.std((1, 2, 3)), pixels[:, 0, 0, 0] + 1], 1)

def model(name, gain):
    def encode_reports(texts):
        return [[len(text) * gain, text.count(" "), 5] for text in texts]
    def load(request):
        with Path(__file__).with_name("loads.txt").open("a") as file:
            print(name, file=file)
        return encoder_from_callables(name, encode_images, encode_reports, size=16)
    return ModelEntry(name, "", load)

@pytest.hookimpl(optionalhook=True)
def pytest_robust_register(catalogues):
    gain = Path(__file__).with_name("gain.txt")
    catalogues.models.add(model("ours", float(gain.read_text()) if gain.exists() else 1))
    catalogues.models.add(model("theirs", 1))
"""
GATE = '[[gate]]\nmodel = "ours"\ndrift = { max = 1e-3 }\n'
ANY = "[[gate]]\ndrift = { max = 1e-3 }\n"
# By globs, so that neither must be tested.
OPTIONS = ("--robust-models=our*,their*", "-p", "no:cacheprovider", "-rs")


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A suite that has the copied test alone, and the fingerprint of one of two models."""
    pytester.makeconftest(CONFTEST)
    copied = (suite_folder() / "test_drift.py").read_text()
    pytester.makepyfile(test_drift=copied)
    (pytester.path / "robust.toml").write_text(GATE)
    monkeypatch.chdir(pytester.path)
    assert main(["fingerprint", "ours"]) == 0
    (pytester.path / "loads.txt").unlink()
    return pytester.path


def run(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess(*OPTIONS, *options)


def words(result: pytest.RunResult) -> str:
    return " ".join((result.stdout.str() + result.stderr.str()).split())


def test_a_model_that_has_not_moved_is_released(
    project: Path, pytester: pytest.Pytester
) -> None:
    result = run(pytester)
    result.assert_outcomes(passed=1, skipped=1)
    assert result.ret == 0
    assert "RELEASE GATE: PASSED (1 gate met, 1 model not tested)" in words(result)
    assert "drift: ours beside ours.json: the largest 1 - cosine" in words(result)
    assert "no gate asks for the drift of theirs" in words(result)
    # What no gate asks for is not even loaded.
    assert (project / "loads.txt").read_text().split() == ["ours"]


@pytest.mark.usefixtures("forked_workers")
def test_a_model_that_has_moved_is_not_through_a_worker_too(
    project: Path, pytester: pytest.Pytester
) -> None:
    (project / "gain.txt").write_text("3")
    result = run(pytester, "-n1", "--robust-results=out")
    result.assert_outcomes(failed=1, skipped=1)
    assert result.ret == 1
    assert "failed: ours beside ours.json" in words(result)
    assert "Not known: token ids, weights." in words(result)
    assert "RELEASE GATE: FAILED because 1 of 1 gate was not met" in words(result)
    saved = json.loads((project / "out" / "run.json").read_text())
    (drift,) = saved["drift"]
    assert drift["largest"] > 1e-3
    (verdict,) = saved["verdicts"]
    assert (verdict["gate"], verdict["verdict"]) == ("drift", "fail")
    assert str(project) not in json.dumps({**saved, "run": None})
    # Judged again by another policy, without a model.
    (project / "robust.toml").write_text(GATE.replace("1e-3", "1.5"))
    (project / "loads.txt").unlink()
    again = pytester.runpytest_inprocess("--robust-replay=out")
    assert "judged again" in words(again)
    assert "RELEASE GATE: PASSED (1 gate met, 1 model not tested)" in words(again)
    assert not (project / "loads.txt").exists()


def test_without_a_file_the_test_is_skipped_and_says_what_to_do(
    project: Path, pytester: pytest.Pytester
) -> None:
    (project / "robust.toml").write_text(ANY)
    result = run(pytester)
    result.assert_outcomes(passed=1, skipped=1)
    assert result.ret == 0
    assert "1 gate met, 1 gate without a fingerprint" in words(result)
    assert "theirs: not compared, because there is no fingerprint" in words(result)


@pytest.mark.parametrize(
    "gate",
    [
        GATE.replace("ours", "theirs"),
        GATE.replace("{ max", '{ file = "elsewhere/ours.json", max'),
    ],
    ids=["model", "file"],
)
def test_a_gate_that_names_what_is_missing_fails(
    project: Path, pytester: pytest.Pytester, gate: str
) -> None:
    (project / "robust.toml").write_text(gate)
    result = run(pytester)
    result.assert_outcomes(failed=1, skipped=1)
    assert result.ret == 1
    assert "RELEASE GATE: FAILED because nothing was measured" in words(result)
    assert "there is no fingerprint" in words(result)
    # The suite's folder is needed: the command may be started somewhere else.
    assert " --tests SUITE`, with the folder of robust.toml" in words(result)
    assert "its test of drift found no fingerprint" in words(result)


def test_nothing_but_skips_is_no_release(
    project: Path, pytester: pytest.Pytester
) -> None:
    (project / "robust.toml").write_text(ANY)
    result = run(pytester, "--robust-models=theirs")
    result.assert_outcomes(skipped=1)
    assert result.ret == 1
    assert "RELEASE GATE: FAILED because nothing was measured" in words(result)


def test_the_file_of_another_model_is_an_error(
    project: Path, pytester: pytest.Pytester
) -> None:
    gate = GATE.replace("ours", "theirs")
    named = gate.replace("{ max", '{ file = "fingerprints/ours.json", max')
    (project / "robust.toml").write_text(named)
    result = run(pytester)
    result.assert_outcomes(errors=1, skipped=1)
    assert result.ret == 1
    said = "FingerprintError: Expected the fingerprint of theirs, got model='ours' in"
    assert said in words(result)


def test_a_damaged_file_is_an_error_and_no_model_is_loaded_for_it(
    project: Path, pytester: pytest.Pytester
) -> None:
    file = project / "fingerprints" / "ours.json"
    file.write_text(file.read_text()[:-200])
    result = run(pytester)
    assert result.ret == 1
    assert "Expected a readable fingerprint, got ours.json: line" in words(result)


def test_measured_without_a_verdict_nothing_is_judged(
    project: Path, pytester: pytest.Pytester
) -> None:
    (project / "gain.txt").write_text("3")
    result = run(pytester, "--robust-measure-only")
    assert result.ret == 0
    assert "MEASURED ONLY (1 measurement)" in words(result)
    assert "drift: ours: 1 - cosine to ours.json is" in words(result)


@pytest.fixture
def elsewhere(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project without a fingerprint."""
    pytester.makeconftest(CONFTEST)
    monkeypatch.chdir(pytester.path)
    return pytester.path


def printed(capsys: Any, *arguments: str) -> tuple[int, str]:
    code = main(["fingerprint", *arguments])
    streams = capsys.readouterr()
    return code, streams.out + streams.err


def test_the_command_writes_where_the_gate_looks(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere / "robust.toml").write_text(
        GATE.replace("{ max", '{ file = "marks/of-ours.json", max')
    )
    code, text = printed(capsys, "ours")
    assert code == 0
    assert "ours: 24 rows of fixed pictures and sentences written to marks/of-" in text
    assert "not known, so that a drift cannot be traced to them: token ids, wei" in text
    assert (elsewhere / "marks" / "of-ours.json").is_file()


def test_a_suite_that_is_not_there_is_an_error(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = printed(capsys, "ours", "--tests", "gaet")
    assert code == 2
    assert "Expected the file or folder of a suite, got --tests='gaet'" in text
    assert not (elsewhere / "fingerprints").exists()


def test_the_command_writes_where_it_is_told(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _ = printed(capsys, "theirs", "--out", "mine.json")
    assert code == 0
    assert json.loads(Path("mine.json").read_text())["model"] == "theirs"
    assert not (elsewhere / "fingerprints").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nobody",), "nobody"),
        (("*",), "Expected one model"),
        (("ours", "--out", "none/mine.json"), "no such folder"),
        (("ours", "--precision", "fp8"), "precision"),
    ],
)
@pytest.mark.usefixtures("elsewhere")
def test_the_command_says_what_is_wrong(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = printed(capsys, *arguments)
    assert code != 0
    assert said in text
