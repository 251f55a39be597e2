"""`--robust-report`: suffixes, ini twin, replayed runs, places that cannot be written,
and nothing of a patient.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_retrieval_robust import load_dataset

from ..conftest import Run
from ..saved_runs import make_run
from .saved.test_read import DATASETS

REPORTS = (
    "--robust-report=out/a.html",
    "--robust-report=out/a.md",
    "--robust-report=out/a.json",
)


def test_reports_are_written_by_suffix_and_named_in_the_summary(
    run_suite: Run, pytester: pytest.Pytester
) -> None:
    result = run_suite(*REPORTS, "--robust-results=saved")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["report: *a.html", "report: *a.md", "report: *a.json", "RELEASE GATE: PASSED*"]
    )
    out = pytester.path / "out"
    assert (out / "a.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert (out / "a.md").read_text(encoding="utf-8").startswith("## ")
    assert (out / "a.json").read_bytes() == (
        pytester.path / "saved" / "run.json"
    ).read_bytes()
    assert sorted(path.name for path in out.iterdir()) == ["a.html", "a.json", "a.md"]


def test_no_report_holds_a_picture_a_text_or_an_id(
    run_suite: Run, pytester: pytest.Pytester
) -> None:
    assert run_suite(*REPORTS).ret == 0
    dataset = load_dataset("synthetic-cxr")
    for path in (pytester.path / "out").iterdir():
        written = path.read_text(encoding="utf-8")
        for index in range(24):
            assert dataset.reports[index][:40] not in written
            assert dataset.image_ids[index] not in written
            assert dataset.patients[index] not in written
        for sign in (
            "<img",
            "<image",
            "<canvas",
            "data:",
            "base64,",
            "blob:",
            "iVBOR",
            "/9j/",
        ):
            assert sign not in written


def test_the_ini_twin_takes_a_line_each_and_the_command_line_wins(
    run_suite: Run, pytester: pytest.Pytester
) -> None:
    pytester.makeini("[pytest]\nrobust_report =\n  one.json\n  two.json\n")
    assert run_suite().ret == 0
    assert {path.name for path in pytester.path.glob("*.json")} == {
        "one.json",
        "two.json",
    }
    (pytester.path / "one.json").unlink()
    assert run_suite("--robust-report=three.json").ret == 0
    assert {path.name for path in pytester.path.glob("*.json")} == {
        "two.json",
        "three.json",
    }


@pytest.mark.parametrize("name", ["report.pdf", "report", "report.html.gz", ".html"])
def test_another_suffix_is_refused_before_anything_runs(
    run_suite: Run, name: str
) -> None:
    result = run_suite(f"--robust-report={name}")
    assert result.ret == 4
    result.stderr.fnmatch_lines(
        [
            "ERROR: Expected a file that ends with .html, .json, .md, got"
            f" --robust-report='{name}'*"
        ]
    )
    assert "passed" not in result.stdout.str()


def test_another_suffix_is_refused_for_a_replay_too(pytester: pytest.Pytester) -> None:
    make_run(pytester.path / "store").save(pytester.path / "mine")
    pytester.makeconftest(DATASETS)
    result = pytester.runpytest_inprocess(
        "--robust-replay=mine", "--robust-report=x.docx"
    )
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*got --robust-report='x.docx'*"])


def test_a_place_that_cannot_be_written_fails_and_the_others_are_written(
    run_suite: Run, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(
        "import pathlib, pytest\n"
        "@pytest.hookimpl(tryfirst=True)\n"
        "def pytest_runtestloop(session):  # after all looks at the options\n"
        "    pathlib.Path('file').write_text('a file')\n"
    )
    result = run_suite("--robust-report=file/a.html", "--robust-report=b.html")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "*Expected to write the report a.html*",
            "RELEASE GATE: FAILED because*a.html*",
        ]
    )
    assert (pytester.path / "b.html").is_file()


def test_a_replay_reports_without_a_model_library(pytester: pytest.Pytester) -> None:
    make_run(pytester.path / "store", models=("ours",)).save(pytester.path / "mine")
    make_run(pytester.path / "other", models=("ours",), shift=9).save(
        pytester.path / "theirs"
    )
    pytester.makeconftest(DATASETS)
    options = ["--robust-replay=mine", "--robust-baseline=theirs", *REPORTS]
    code = (
        f"import sys, pytest\ncode = pytest.main({options!r})\nprint([m for m in"
        " ('torch', 'transformers', 'open_clip', 'PIL', 'matplotlib', 'mlflow') if m"
        " in sys.modules], int(code))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=pytester.path,
    )
    assert done.stdout.splitlines()[-1] == "[] 1"  # without a gate nothing is judged
    out = pytester.path / "out"
    assert "Judged again" in (out / "a.html").read_text(encoding="utf-8")
    assert json.loads((out / "a.json").read_text())["run"]["replayed"]


def test_a_report_of_ones_own_is_a_suffix_more(
    run_suite: Run, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(
        "import pytest\nfrom pytest_retrieval_robust.reports import"
        " ReportEntry\n@pytest.hookimpl(optionalhook=True)\ndef"
        " pytest_robust_register(catalogues):\n   "
        " catalogues.reports.add(ReportEntry('txt', 'one line', lambda run:"
        " f'{len(run.outcomes)} cells'))\n"
    )
    assert run_suite("--robust-report=a.txt").ret == 0
    assert Path(pytester.path / "a.txt").read_text() == "2 cells"


def test_a_report_that_raises_costs_no_other_and_none_says_that_the_gate_passed(
    run_suite: Run, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(
        "import pytest\nfrom pytest_retrieval_robust.reports import"
        " ReportEntry\n@pytest.hookimpl(optionalhook=True)\ndef"
        " pytest_robust_register(catalogues):\n   "
        " catalogues.reports.add(ReportEntry('bad', 'fails', lambda run:"
        " run.of_patient_10000032))\n"
    )
    result = run_suite(
        "--robust-report=first.html", "--robust-report=a.bad", "--robust-report=last.md"
    )
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["*Expected to write the report a.bad, got: AttributeError*"]
    )
    for name in ("first.html", "last.md"):
        written = (pytester.path / name).read_text(encoding="utf-8")
        assert "gate passed" not in written.lower()
        assert "the report a.bad was not written" in written
        assert "10000032" not in written
    assert list(pytester.path.glob("*.part")) == []


def test_a_report_that_cannot_be_moved_into_place_leaves_nothing_and_names_no_folder(
    run_suite: Run, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(
        "import pathlib, pytest\n"
        "@pytest.hookimpl(tryfirst=True)\n"
        "def pytest_runtestloop(session):  # after all looks at the options\n"
        "    pathlib.Path('p10000032/a.html').mkdir(parents=True)\n"
    )
    result = run_suite(
        f"--robust-report={pytester.path}/p10000032/a.html", "--robust-report=b.md"
    )
    assert result.ret == 1
    assert [path.name for path in (pytester.path / "p10000032").iterdir()] == ["a.html"]
    assert "p10000032" not in (pytester.path / "b.md").read_text(encoding="utf-8")


def test_a_report_that_ends_the_process_costs_no_other(
    run_suite: Run, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(
        "import pytest, sys\nfrom pytest_retrieval_robust.reports import"
        " ReportEntry\n@pytest.hookimpl(optionalhook=True)\ndef"
        " pytest_robust_register(catalogues):\n   "
        " catalogues.reports.add(ReportEntry('bad', 'ends', lambda run: sys.exit('of"
        " Jane Roe')))\n"
    )
    result = run_suite("--robust-report=a.bad", "--robust-report=last.md")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["*Expected to write the report a.bad, got: SystemExit at conftest.py:5 in*"]
    )
    assert "Roe" not in result.stdout.str() + (pytester.path / "last.md").read_text(
        encoding="utf-8"
    )
