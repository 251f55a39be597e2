"""`init DIR`: copies the suite that ships with the package."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from ...core.shown_values import shown_place
from ._errors import Commands, report_error

_PACKAGE = Path(__file__).parents[2]
_FILES = (
    "robust.toml",
    "test_recall.py",
    "test_curve.py",
    "test_timing.py",
    "test_properties.py",
    "test_breaking.py",
    "test_counterfactuals.py",
    "test_drift.py",
    "test_baseline.py",
)


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser("init", help="copy a ready suite into a folder")
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    try:
        copied = copy_suite(parsed.folder)
    except OSError as error:
        return report_error(str(error))
    folder = shown_place(parsed.folder)
    print(f"copied {', '.join(path.name for path in copied)} to {folder}")
    print(f"next: pytest {folder}")
    return 0


def suite_folder() -> Path:
    """The shipped suite: inside the package in a wheel, beside the package in a checkout."""
    packaged = _PACKAGE / "_suite"
    return packaged if packaged.is_dir() else _PACKAGE.parent / "suites"


def copy_suite(target: Path) -> list[Path]:
    """Copy the suite to `target`.

    Raises `FileExistsError` for a file that exists already; then nothing is copied.
    """
    copies = [target / name for name in _FILES]
    for path in copies:
        if path.exists():
            raise FileExistsError(
                f"Expected a folder without the suite's files, got {shown_place(path)}. Choose"
                " another folder."
            )
    target.mkdir(parents=True, exist_ok=True)
    for path in copies:
        shutil.copyfile(suite_folder() / path.name, path)
    return copies
