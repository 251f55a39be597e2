"""Run one command under many circumstances, and compare what it saves.

    python -m benchmarks.determinism                     the table of a small run
    python -m benchmarks.determinism --readme            some cells of README's run
    python -m benchmarks.determinism --gate              some cells of `make gate`
    python -m benchmarks.determinism --rows              how far embeddings move
    python -m benchmarks.determinism --python PYTHON ... other Pythons

Each run is a process of its own. `--page docs/determinism.md` writes the table into the
page. The exit status is 1 where ranks moved that must not.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..pages import write_into
from . import rows
from .cells import (
    CELLS,
    SMALL,
    TABLE,
    TABLE_OF_README,
    TABLE_OF_THE_GATE,
    Cell,
    Table,
    cell_of_python,
)
from .compared import Apart, apart
from .libraries import difference, versions_of
from .locales import NotToBeHadError
from .runs import ROOT, Change, Ground, RunError


@dataclass(frozen=True)
class Result:
    """A line of the table, measured."""

    cell: Cell
    apart: Apart | None
    """None where there was nothing to compare."""
    problem: str = ""
    """Why there was not."""

    @property
    def held(self) -> bool:
        """Whether nothing moved that must not, and what could run here did."""
        if self.apart is None:
            return False
        return self.apart.has_same_ranks or not self.cell.is_promised

    def line(self) -> str:
        """A line of Markdown."""
        return f"| {self.cell.what} | {' | '.join(self._cells())} |"

    def _cells(self) -> tuple[str, ...]:
        if self.apart is None:
            return (self.problem, "", "", "")
        ranks = "the same"
        if not self.apart.has_same_ranks:
            ranks = f"{self.apart.moved:,} moved, by {self.apart.farthest} at most"
        if self.apart.other_arrays:
            ranks += f"; {len(self.apart.other_arrays)} other arrays"
        file = "the same" if self.apart.has_same_file else "another"
        facts = ", ".join(f"`{name}`" for name in self.apart.other_facts) or "the same"
        promised = "yes" if self.cell.is_promised else "no"
        return (promised, ranks, file, facts)


def measure(
    ground: Ground, cells: Sequence[Cell], reference: Change
) -> Iterator[Result]:
    """Run the reference and then each cell. Raises `RunError` where the reference fails."""
    expected = ground.run("reference", reference)
    for number, cell in enumerate(cells):
        try:
            saved = ground.run(f"{number:02}-run", cell.change)
            yield Result(cell, apart(saved, expected))
        except NotToBeHadError as error:
            yield Result(cell, None, f"not to be had here: {error}")
        except RunError as error:
            yield Result(cell, None, f"failed: {error}")


def table(results: Sequence[Result]) -> str:
    """The table, in Markdown."""
    counted = [result.apart for result in results if result.apart is not None]
    ranks = f"{counted[0].ranks:,} ranks" if counted else "ranks"
    lines = [
        f"| what is otherwise | promised | {ranks} | bytes of `ranks.npz`"
        " | `run.json`, times aside |",
        "| --- | --- | --- | --- | --- |",
        *(result.line() for result in results),
    ]
    return "\n".join(lines)


def _chosen(
    parsed: argparse.Namespace, folder: Path
) -> tuple[str, Ground, Sequence[Cell]]:
    """The mark of the table, the ground of its runs, and its cells."""
    if parsed.python:
        theirs = versions_of(parsed.reference_python, ROOT)
        cells = [
            cell_of_python(python, difference(versions_of(python, ROOT), theirs))
            for python in parsed.python
        ]
        return "table of Pythons", Ground(folder, SMALL), cells
    chosen: Table = parsed.table
    return chosen.mark, Ground(folder, chosen.suite), chosen.cells(parsed.only)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.determinism",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    tables = parser.add_mutually_exclusive_group()
    for option, chosen in (
        ("--readme", TABLE_OF_README),
        ("--gate", TABLE_OF_THE_GATE),
    ):
        tables.add_argument(option, action="store_const", dest="table", const=chosen)
    parser.set_defaults(table=TABLE)
    parser.add_argument("--rows", action="store_true")
    parser.add_argument("--python", type=Path, action="append", metavar="PYTHON")
    parser.add_argument(
        "--reference-python", type=Path, default=Path(sys.executable), metavar="PYTHON"
    )
    parser.add_argument(
        "--only", action="append", choices=[cell.name for cell in CELLS]
    )
    parser.add_argument("--page", type=Path, help="the page that gets the table")
    parsed = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="determinism-") as folder:
        return _measured(parsed, Path(folder))


def _measured(parsed: argparse.Namespace, folder: Path) -> int:
    """Measure and show what was asked for; the exit status."""
    if parsed.rows:
        return _show(rows.table(folder), "table of rows", parsed.page)
    name, ground, cells = _chosen(parsed, folder)
    results: list[Result] = []
    for result in measure(ground, cells, Change(python=parsed.reference_python)):
        print(result.cell.name, result.line(), file=sys.stderr, flush=True)
        results.append(result)
    _show(table(results), name, parsed.page)
    return int(not all(result.held for result in results))


def _show(text: str, name: str, page: Path | None) -> int:
    print(text)
    if page is not None:
        write_into(page, text, name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
