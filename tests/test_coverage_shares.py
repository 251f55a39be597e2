"""What `make coverage` counts, and where it fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.coverage_shares import Shares, by_folder, main, table


def summary(lines: int, run: int, branches: int, taken: int) -> dict[str, int]:
    return {
        "num_statements": lines,
        "covered_lines": run,
        "num_branches": branches,
        "covered_branches": taken,
    }


REPORT = {
    "files": {
        "pytest_retrieval_robust/__main__.py": {"summary": summary(10, 10, 0, 0)},
        "pytest_retrieval_robust/gate/judge.py": {"summary": summary(60, 57, 10, 9)},
        "pytest_retrieval_robust/gate/power/cell.py": {
            "summary": summary(30, 28, 10, 9)
        },
    }
}


def test_a_folder_is_summed_with_those_below_it() -> None:
    shares = by_folder(REPORT)
    assert list(shares) == [".", "gate", "all"]
    assert shares["gate"] == Shares(90, 85, 20, 18)
    assert shares["all"] == Shares(100, 95, 20, 18)


def test_a_table_shows_both_shares() -> None:
    assert "| all | 100 | 95.0% | 20 | 90.0% |" in table(by_folder(REPORT))


@pytest.mark.parametrize(
    ("shares", "enough"),
    [
        (Shares(100, 95, 100, 90), True),
        (Shares(100, 94, 100, 100), False),
        (Shares(100, 100, 100, 89), False),
    ],
)
def test_lines_and_branches_have_a_least_share_each(
    shares: Shares, enough: bool
) -> None:
    assert shares.are_enough is enough


def test_too_small_a_share_fails_and_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = {
        "files": {"pytest_retrieval_robust/a.py": {"summary": summary(10, 9, 2, 2)}}
    }
    (tmp_path / "coverage.json").write_text(json.dumps(report))
    assert main([str(tmp_path / "coverage.json")]) == 1
    assert "got lines=90.0%, branches=100.0%" in capsys.readouterr().err


def test_enough_of_both_passes(tmp_path: Path) -> None:
    (tmp_path / "coverage.json").write_text(json.dumps(REPORT))
    assert main([str(tmp_path / "coverage.json")]) == 0


def test_a_page_gets_the_table(tmp_path: Path) -> None:
    (tmp_path / "coverage.json").write_text(json.dumps(REPORT))
    page = tmp_path / "page.md"
    marks = "<!-- the table of lines begins -->\n<!-- the table of lines ends -->\n"
    page.write_text(f"Before\n{marks}After\n")
    assert main([str(tmp_path / "coverage.json"), "--page", str(page)]) == 0
    assert "| gate | 90 | 94.4% | 20 | 90.0% |\n" in page.read_text()
    assert page.read_text().endswith("After\n")
