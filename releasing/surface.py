"""What a user may rely on beside the public names: `surface.json` records it.

`python -m releasing.surface` writes the record anew. Within a middle number of the version
names are added alone, and columns at the end: a test compares.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest_retrieval_robust
from pytest_retrieval_robust import Catalogues, __version__, load_dataset
from pytest_retrieval_robust.core import config_file, model_table
from pytest_retrieval_robust.gate import toml
from pytest_retrieval_robust.reports.curve_csv import CURVE_COLUMNS
from pytest_retrieval_robust.reports.edit_tables import CSV_COLUMNS
from pytest_retrieval_robust.reports.group_tables import GROUP_COLUMNS
from pytest_retrieval_robust.reports.html.changes import CHANGE_COLUMNS
from pytest_retrieval_robust.reports.html.costs import COST_COLUMNS, SPEED_COLUMNS
from pytest_retrieval_robust.reports.html.gate_table import GATE_COLUMNS
from pytest_retrieval_robust.reports.html.searches import SHARE_COLUMNS
from pytest_retrieval_robust.reports.leaderboard.files import BOARD_COLUMNS
from pytest_retrieval_robust.run import fixtures, hookspecs
from pytest_retrieval_robust.run.commands import COMMANDS
from pytest_retrieval_robust.run.options import OPTIONS

Names: TypeAlias = dict[str, list[str]]
"""Lists of names, by what they are names of."""
RECORD = Path(__file__).with_name("surface.json")
COLUMNS = "columns of "
"""How the names of those lists begin whose order counts."""
EMBEDDED_DATA = ("synthetic-cxr", "synthetic-scenes")
WEIGHTS = Path(pytest_retrieval_robust.__file__).parent / "models" / "weights"
FAMILIES = (
    "models",
    "datasets",
    "occluders",
    "corruptions",
    "text_noise",
    "metrics",
    "reports",
)


def middle_number(version: str = __version__) -> str:
    """`0.2` of 0.2.7."""
    return ".".join(version.split(".")[:2])


def surface() -> Names:
    """The names that this version has."""
    catalogues = Catalogues()
    settings = [*config_file.TABLES, *_dotted("gate", toml.KEYS)]
    settings += _dotted("models", model_table.MODEL_KEYS)
    settings += _dotted("models", model_table.COMMAND_KEYS)
    settings += _dotted("tracking", config_file.TRACKING_KEYS)
    names = {
        "options of pytest": [option.flag for option in OPTIONS],
        "commands": list(_commands()),
        "fixtures": [*_defined_in(fixtures, "fixture")],
        "hooks": [name for name in vars(hookspecs) if name.startswith("pytest_robust")],
        "settings of robust.toml": settings,
    }
    for family in FAMILIES:
        names[family] = list(_entries(getattr(catalogues, family).entries()))
    names["embedded encoders"] = list(_hashes_of_weights())
    names["embedded data"] = [
        f"{name}, fingerprint {load_dataset(name).fingerprint}"
        for name in EMBEDDED_DATA
    ]
    sorted_names = {key: sorted(set(each)) for key, each in names.items()}
    return {**sorted_names, **_columns()}


def _hashes_of_weights() -> Iterator[str]:
    for path in sorted(WEIGHTS.glob("*/*.safetensors")):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        yield f"{path.parent.name}, sha256 {digest}"


def _columns() -> Names:
    tables = {
        "curves": CURVE_COLUMNS,
        "baseline": CHANGE_COLUMNS,
        "gates": GATE_COLUMNS,
        "breaking": SHARE_COLUMNS,
        "groups": GROUP_COLUMNS,
        "edits": CSV_COLUMNS,
        "speeds": SPEED_COLUMNS,
        "costs": COST_COLUMNS,
        "leaderboard": BOARD_COLUMNS,
    }
    return {f"{COLUMNS}{name}": list(columns) for name, columns in tables.items()}


def _dotted(table: str, keys: Iterable[str]) -> list[str]:
    return [f"{table}.{key}" for key in keys]


def _commands() -> Iterator[str]:
    """Each command, and each with an option of its own: `plan --queries`."""
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers()
    for command in COMMANDS:
        command.add_parser(commands)
    for name, of_command in commands.choices.items():
        yield name
        for action in of_command._actions:
            for flag in action.option_strings:
                if flag.startswith("--") and flag not in ("--help", "--version"):
                    yield f"{name} {flag}"


def _defined_in(module: object, kind: str) -> Iterator[str]:
    """Names of the fixtures of a module, for instance."""
    for name, value in vars(module).items():
        if kind in type(value).__name__.lower() and not name.startswith("_"):
            yield name


def _entries(entries: Iterable[object]) -> Iterator[str]:
    """The name of each entry, and each with a parameter of its own: `patches(grid)`."""
    for entry in entries:
        name = getattr(entry, "name")  # noqa: B009 - entries have no common type
        yield name
        for parameter in getattr(entry, "parameters", ()):
            yield f"{name}({parameter})"


def recorded() -> tuple[str, Names]:
    """The middle number whose names were written down, and the names."""
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    return record["version"], record["names"]


def gone(before: Names, now: Names) -> list[str]:
    """What of `before` is not in `now`, or is a column that stands elsewhere."""
    missing = []
    for kind, names in before.items():
        present = now.get(kind, [])
        if kind.startswith(COLUMNS):
            moved = [
                name
                for place, name in enumerate(names)
                if present[place : place + 1] != [name]
            ]
            missing += [f"{kind}: {name}" for name in moved]
        else:
            missing += [f"{kind}: {name}" for name in names if name not in present]
    return missing


def main() -> None:
    """Write the record."""
    record = {"version": middle_number(), "names": surface()}
    RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
