"""`gpu.json` as tables of Markdown."""

from __future__ import annotations

from typing import Any


def tables(results: dict[str, Any]) -> str:
    """The machine, what held, what was measured, and what was left out."""
    sections = [
        _section("Machine", ["what", "value"], _facts(results)),
        _section("Checks", ["step", "check", "", "detail"], _checks(results)),
        _section(
            "Figures",
            ["step", "figure", "median", "least to most", "target", ""],
            _figures(results),
        ),
        _section("Left out", ["what", "why"], [*map(list, results["skipped"].items())]),
    ]
    return "\n".join(section for section in sections if section)


def _section(title: str, columns: list[str], rows: list[list[str]]) -> str:
    """A table under its title; nothing without rows."""
    if not rows:
        return ""
    lines = [f"### {title}", "", _line(columns), _line(["---"] * len(columns))]
    lines += [_line(row) for row in rows]
    return "\n".join([*lines, ""])


def _line(cells: list[str]) -> str:
    escaped = [cell.replace("|", "\\|").replace("\n", " ") for cell in cells]
    return "| " + " | ".join(escaped) + " |"


def _facts(results: dict[str, Any]) -> list[list[str]]:
    return [[name, value] for name, value in results["facts"].items()]


def _checks(results: dict[str, Any]) -> list[list[str]]:
    rows = []
    for check in results["checks"]:
        verdict = "PASS" if check["held"] else "FAIL"
        rows.append([check["step"], check["name"], verdict, check["detail"]])
    return rows


def _figures(results: dict[str, Any]) -> list[list[str]]:
    rows = []
    for figure in results["figures"]:
        target = ""
        if figure["target"] is not None:
            limit = figure["target"]["limit"]
            target = f"{figure['target']['direction']} {limit:g}"
        rows.append(
            [
                figure["step"],
                figure["name"],
                f"{figure['value']:.4g} {figure['unit']}".strip(),
                f"{figure['least']:.4g} to {figure['most']:.4g}",
                target,
                figure["verdict"],
            ]
        )
    return rows
