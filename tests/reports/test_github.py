"""GitHub Actions: the step's summary within its limit, and annotations that cannot be forged."""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.gate.record import RunRecord
from pytest_retrieval_robust.reports.github import (
    error_commands,
    step_summary,
    write_step_summary,
)
from pytest_retrieval_robust.reports.markdown.report import render_markdown

from ..conftest import Run
from .records import multiplied, record, renamed

ACTIONS = {"GITHUB_ACTIONS": "true"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    return record(tmp_path_factory.mktemp("failing"), models=("ours",))


def test_the_summary_is_the_markdown_report(run: RunRecord, tmp_path: Path) -> None:
    place = tmp_path / "summary.md"
    place.write_text("an earlier command's")
    write_step_summary(run, {**ACTIONS, "GITHUB_STEP_SUMMARY": str(place)})
    assert (
        place.read_text(encoding="utf-8")
        == f"an earlier command's\n\n{render_markdown(run)}"
    )


@pytest.mark.parametrize("actions", [{}, {"GITHUB_ACTIONS": "false"}])
def test_nothing_is_written_outside_of_a_step(
    run: RunRecord, tmp_path: Path, actions: dict[str, str]
) -> None:
    write_step_summary(
        run, {**actions, "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}
    )
    write_step_summary(run, ACTIONS)
    assert list(tmp_path.iterdir()) == []


def test_a_summary_beyond_the_limit_is_cut_between_blocks_with_a_note(
    run: RunRecord, tmp_path: Path
) -> None:
    many = multiplied(
        run,
        [f"model-{place}" for place in range(20)],
        [f"patches-{place}" for place in range(10)],
    )
    assert len(render_markdown(many).encode()) > 50_000
    place = tmp_path / "summary.md"
    place.write_bytes(b"x" * 1_000_000)
    write_step_summary(many, {**ACTIONS, "GITHUB_STEP_SUMMARY": str(place)})
    written = place.read_text(encoding="utf-8")
    assert 1_010_000 < len(written.encode()) <= 1024 * 1024
    assert written.endswith("keeps all of it.\n")
    assert written.count("<details>") == written.count("</details>")


@pytest.mark.parametrize("left", [0, 1, 2, 30, 150])
def test_a_summary_that_is_nearly_full_is_never_pushed_over_the_limit(
    run: RunRecord, tmp_path: Path, left: int
) -> None:
    place = tmp_path / "step.md"
    place.write_bytes(b"x" * (1024 * 1024 - left))
    write_step_summary(
        run, {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(place)}
    )
    assert place.stat().st_size <= 1024 * 1024


@pytest.mark.parametrize("limit", [0, 50, 100, 200, 400, 1000])
def test_no_limit_is_exceeded(run: RunRecord, limit: int) -> None:
    assert len(step_summary(run, limit).encode()) <= limit


def parts(command: str) -> tuple[str, dict[str, str], str]:
    """A command as GitHub's runner reads it."""
    found = re.fullmatch(r"::(\w+)(?: ([^\n]*?))?::([^\r\n]*)", command)
    assert found is not None, command
    pairs = (pair.split("=", 1) for pair in (found[2] or "").split(",") if pair)
    return found[1], {key: unquote(value) for key, value in pairs}, unquote(found[3])


def test_each_gate_that_objects_is_an_error_at_the_file_of_the_gates(
    run: RunRecord, tmp_path: Path
) -> None:
    environment = {**ACTIONS, "GITHUB_WORKSPACE": str(tmp_path)}
    commands = list(error_commands(run, tmp_path / "gate" / "robust.toml", environment))
    objections = [verdict for verdict in run.verdicts if verdict.objects]
    assert objections
    assert [parts(one) for one in commands] == [
        (
            "error",
            {"file": "gate/robust.toml", "title": f"{one.gate}, ours"},
            one.sentence,
        )
        for one in objections
    ]


def test_a_file_elsewhere_is_not_named(run: RunRecord, tmp_path: Path) -> None:
    environment = {**ACTIONS, "GITHUB_WORKSPACE": str(tmp_path / "work")}
    for command in error_commands(run, tmp_path / "robust.toml", environment):
        assert "file" not in parts(command)[1]
    assert list(error_commands(run, tmp_path / "robust.toml", {})) == []


def test_more_than_ten_are_nine_and_how_many_more(run: RunRecord) -> None:
    many = multiplied(run, [f"model-{place}" for place in range(30)], ["patches"])
    commands = list(error_commands(many, None, ACTIONS))
    count = sum(verdict.objects for verdict in many.verdicts)
    assert len(commands) == 10
    assert f"{count - 9} more gates" in commands[-1]


def test_a_failure_without_a_gate_is_one_error(run: RunRecord) -> None:
    (command,) = error_commands(
        replace(run, verdicts=(), failures=("nothing was measured",)), None, ACTIONS
    )
    assert command == "::error title=release gate::nothing was measured"


@given(st.text())
def test_no_name_starts_another_command_or_property(run: RunRecord, name: str) -> None:
    for command in error_commands(renamed(run, {"ours": f"({name})"}), None, ACTIONS):
        kind, properties, _ = parts(command)
        assert (kind, set(properties)) == ("error", {"title"})


def test_a_failing_run_annotates_and_summarises(
    run_suite: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pytester.path / "robust.toml").write_text(
        "[[gate]]\nlevel = 0.3\nrecall = { 10 = 1.0 }\n"
    )
    for name, value in {
        **ACTIONS,
        "GITHUB_STEP_SUMMARY": "summary.md",
        "GITHUB_WORKSPACE": str(pytester.path),
    }.items():
        monkeypatch.setenv(name, value)
    result = run_suite(
        "-q", "--junit-xml=junit.xml", "--html=tests.html", "--robust-report=a.html"
    )
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "RELEASE GATE: FAILED*",
            "::error file=robust.toml,title=recall@10 image-to-report*",
        ]
    )
    assert (
        (pytester.path / "summary.md")
        .read_text(encoding="utf-8")
        .startswith("## ✕ Release gate failed")
    )
    suite = ElementTree.parse(pytester.path / "junit.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert "Release gate failed" in (pytester.path / "a.html").read_text(
        encoding="utf-8"
    )
    assert "test_recall_under_occlusion" in (pytester.path / "tests.html").read_text(
        encoding="utf-8"
    )


@pytest.mark.skipif(os.name != "posix", reason="FIFOs")
def test_a_fifo_in_place_of_the_summary_is_not_waited_for(
    run: RunRecord, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "summary")
    with pytest.raises(OSError, match="a FIFO where a file is expected"):
        write_step_summary(
            run, {**ACTIONS, "GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}
        )
