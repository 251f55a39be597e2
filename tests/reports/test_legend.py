"""The legend below the tables explains the signs and columns that are there, and no others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_retrieval_robust.reports.terminal.summary import summary_lines

from .records import record

GATE = "[[gate]]\nrecall = { 10 = %s }\n"
NO_GATE = '[[gate]]\nmodel = "another"\nrecall = { 10 = 0.1 }\n'
SIGNS: Mapping[str, tuple[str, str]] = {
    "!": (GATE % "1.0", "! below its gate   below each: its 95 % interval"),
    "~": (NO_GATE, "~ no gate   below each: its 95 % interval"),
    "?": (GATE % "0.01", "? inconclusive   below each: its 95 % interval"),
}


def all_lines(folder: Path, gates: str, verbosity: int, **choices: Any) -> list[str]:
    run = record(folder, 40, gates=gates, floor=2, ks=(1, 10), **choices)
    return [
        "".join(span.text for span in line) for line in summary_lines(run, verbosity)
    ]


def legend(folder: Path, gates: str, verbosity: int = 0, **choices: Any) -> list[str]:
    lines = all_lines(folder, gates, verbosity, **choices)
    return [line for line in lines if ": " in line and "=" not in line]


@pytest.mark.parametrize("sign", SIGNS)
def test_only_signs_that_are_there_are_explained(sign: str, tmp_path: Path) -> None:
    gates, expected = SIGNS[sign]
    assert expected in legend(tmp_path, gates)


def test_a_ceiling_is_explained_where_one_is_known(tmp_path: Path) -> None:
    meaning = "ceiling: a perfect model (equal texts tie)"
    known = legend(tmp_path / "known", NO_GATE)
    unknown = legend(tmp_path / "unknown", NO_GATE, facts={"ceiling": None})
    assert any(meaning in line for line in known)
    assert not any(meaning in line for line in unknown)


@pytest.mark.parametrize("sign", SIGNS)
def test_a_quiet_log_explains_the_signs_alone(sign: str, tmp_path: Path) -> None:
    gates, expected = SIGNS[sign]
    meaning = expected.partition("   ")[0]
    lines = all_lines(tmp_path, gates, -1)
    assert meaning in lines
    assert not any(word in line for line in lines for word in ("interval", "half: "))


def test_a_quiet_log_without_signs_has_no_legend(tmp_path: Path) -> None:
    run = record(tmp_path, 400, gates=GATE % "0.05", ks=(1, 10))
    lines = ["".join(span.text for span in line) for line in summary_lines(run, -1)]
    assert any(line.startswith("ours") for line in lines)
    assert not any(line.startswith(("!", "?", "~")) for line in lines)
