"""`python -m pytest_retrieval_robust init DIR`: copy a ready suite."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

_SUITE_FILES = ("robust.toml", "test_recall.py", "test_curve.py", "test_timing.py", "test_properties.py")


def suite_folder() -> Path:
    """The suite that ships with the package: inside a wheel, or beside the package in a checkout."""
    package = Path(__file__).parent
    packaged = package / "_suite"
    return packaged if packaged.is_dir() else package.parent / "suites"


def copy_suite(target: Path) -> list[Path]:
    """Copy the suite to `target`; `FileExistsError` names a file that is there already, and nothing is copied."""
    wanted = [target / name for name in _SUITE_FILES]
    for path in wanted:
        if path.exists():
            raise FileExistsError(f"Expected a folder without the suite's files, got {path}. Choose another folder.")
    target.mkdir(parents=True, exist_ok=True)
    for path in wanted:
        shutil.copyfile(suite_folder() / path.name, path)
    return wanted


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m pytest_retrieval_robust", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    init = commands.add_parser("init", help="copy a ready suite into a folder")
    init.add_argument("folder", type=Path, metavar="DIR")
    parsed = parser.parse_args(arguments)
    try:
        copied = copy_suite(parsed.folder)
    except OSError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"copied {', '.join(path.name for path in copied)} to {parsed.folder}")
    print(f"next: pytest {parsed.folder} --robust-models all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
