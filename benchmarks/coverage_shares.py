"""Which shares of lines and branches the tests run: `make coverage`, which fails below
what is held.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .pages import write_into

LEAST_OF_LINES = 0.95
LEAST_OF_BRANCHES = 0.90


@dataclass(frozen=True)
class Shares:
    """How much of some files was run."""

    lines: int
    lines_run: int
    branches: int
    branches_run: int

    @classmethod
    def of(cls, summaries: Iterable[Mapping[str, int]]) -> Shares:
        """The sum of summaries, as `coverage json` writes them."""
        listed = list(summaries)
        names = (
            "num_statements",
            "covered_lines",
            "num_branches",
            "covered_branches",
        )
        return cls(*(sum(each[name] for each in listed) for name in names))

    @property
    def of_lines(self) -> float:
        return self.lines_run / max(1, self.lines)

    @property
    def of_branches(self) -> float:
        return self.branches_run / max(1, self.branches)

    @property
    def are_enough(self) -> bool:
        return self.of_lines >= LEAST_OF_LINES and self.of_branches >= LEAST_OF_BRANCHES


def by_folder(report: Mapping[str, Any]) -> dict[str, Shares]:
    """The shares of each folder of the package, and of all of it, from `coverage json`."""
    summaries: dict[str, list[Mapping[str, int]]] = {}
    for file, content in report["files"].items():
        parts = Path(file).parts
        folder = parts[1] if len(parts) > 2 else "."
        summaries.setdefault(folder, []).append(content["summary"])
    shares = {folder: Shares.of(each) for folder, each in sorted(summaries.items())}
    shares["all"] = Shares.of(one for each in summaries.values() for one in each)
    return shares


def table(shares: Mapping[str, Shares]) -> str:
    """In Markdown, a row per folder."""
    lines = [
        "| folder | lines | run | branches | run |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {folder} | {each.lines:,} | {each.of_lines:.1%} | {each.branches:,} |"
        f" {each.of_branches:.1%} |"
        for folder, each in shares.items()
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.coverage_shares", description=__doc__
    )
    parser.add_argument("report", type=Path, help="the file of `coverage json`")
    parser.add_argument("--page", type=Path, help="the page that gets the table")
    parsed = parser.parse_args(arguments)
    shares = by_folder(json.loads(parsed.report.read_text(encoding="utf-8")))
    text = table(shares)
    print(text)
    if parsed.page is not None:
        write_into(parsed.page, text, "table of lines")
    if shares["all"].are_enough:
        return 0
    print(
        f"Expected at least {LEAST_OF_LINES:.0%} of lines and {LEAST_OF_BRANCHES:.0%} of"
        f" branches, got lines={shares['all'].of_lines:.1%},"
        f" branches={shares['all'].of_branches:.1%}. Test what is not run (`coverage"
        " html`), or delete it.",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
