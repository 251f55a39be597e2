"""Builds the wheel and the source archive twice, and keeps them if they are equal and fit.

`python -m releasing.dist` needs the tools of `releasing/requirements.txt`: `make dist`
gives them an environment of their own.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

from .bill import bill_of
from .changes import require_none_left
from .contents import listing, problems
from .source import (
    ReleaseError,
    clean_commit,
    commit_seconds,
    export,
    export_otherwise,
)

ROOT = Path(__file__).parents[1]
ARCHIVES = "archives"
"""The folder of what is published, and of nothing else."""
OTHER_PLACE: Mapping[str, str] = {"TZ": "Pacific/Auckland", "LC_ALL": "C"}
"""What a builder on another machine may have otherwise."""


def build(target: str, tree: Path, out: Path, environment: Mapping[str, str]) -> None:
    """Build `target` ("wheel" or "sdist") of a folder of sources."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(out)]
    subprocess.run(
        command,
        cwd=tree,
        env={**os.environ, **environment},
        check=True,
        stdout=subprocess.DEVNULL,
    )


def unpacked_sdist(sdist: Path, folder: Path) -> Path:
    """Unpack a source archive; the folder that it holds."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (tree,) = folder.iterdir()
    return tree


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def sums(folder: Path) -> dict[str, str]:
    """SHA-256 by file name."""
    return {path.name: sha256_of(path) for path in sorted(folder.iterdir())}


def build_twice(work: Path) -> Path:
    """The folder of two archives that came out the same in both builds.

    The second build has other dates, rights and orders of files, another time zone,
    and makes its wheel of its source archive.
    """
    commit = clean_commit(ROOT)
    epoch = {"SOURCE_DATE_EPOCH": str(commit_seconds(ROOT, commit))}
    first, second = work / "first", work / "second"
    tree = work / "tree"
    export(ROOT, commit, tree)
    for target in ("sdist", "wheel"):
        build(target, tree, first, epoch)

    other_tree = work / "elsewhere" / "other tree"
    export_otherwise(ROOT, commit, other_tree)
    build("sdist", other_tree, second, {**epoch, **OTHER_PLACE})
    (sdist,) = second.iterdir()
    from_sdist = unpacked_sdist(sdist, work / "unpacked")
    build("wheel", from_sdist, second, {**epoch, **OTHER_PLACE})

    require_same_bytes(first, second)
    return first


def require_same_bytes(first: Path, second: Path) -> None:
    """Raise `ReleaseError` unless two folders have the same files."""
    once, again = sums(first), sums(second)
    different = sorted(
        name for name in once.keys() | again.keys() if once.get(name) != again.get(name)
    )
    if different:
        raise ReleaseError(
            "Expected two builds with the same bytes, got different ones of"
            f" {', '.join(different)}. Compare {first} with {second}: a date, an order"
            " or a path of the machine has come into them."
        )


def check(archives: list[Path]) -> None:
    """Raise `ReleaseError` for what may not be published."""
    found = [problem for archive in archives for problem in problems(archive)]
    if found:
        raise ReleaseError("\n".join(found))
    _run_tool("twine", "check", "--strict", *archives)
    _run_tool("check-wheel-contents", wheel_in(archives))


def _run_tool(name: str, *arguments: str | Path) -> None:
    command = [str(Path(sys.executable).parent / name), *map(str, arguments)]
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        raise ReleaseError(
            f"Expected sources and archives that pass {name}, got what it says above."
        )


def wheel_in(archives: list[Path]) -> Path:
    (wheel,) = (path for path in archives if path.suffix == ".whl")
    return wheel


def version_of(wheel: Path) -> str:
    """The version in the name of a wheel."""
    return wheel.name.split("-")[1]


def check_tag(tag: str, version: str, changelog: str) -> None:
    """Raise `ReleaseError` unless the tag, the version and the changelog agree."""
    if tag != f"v{version}":
        raise ReleaseError(
            f"Expected the tag v{version} of pyproject.toml's version, got tag={tag!r}."
            " Set the version, commit, and tag that commit."
        )
    if re.search(rf"^## {re.escape(version)} \(\d{{4}}-\d\d-\d\d\)$", changelog, re.M):
        return
    raise ReleaseError(
        f"Expected the heading '## {version} (YEAR-MONTH-DAY)' in CHANGELOG.md, got"
        " none. Put the day of the release there, commit, and tag that commit."
    )


def make(out: Path, tag: str | None, python: Path) -> None:
    """Write the archives, their bill of materials and SHA256SUMS into `out`.

    `python` is that of an environment in which the package is installed. Raises
    `ReleaseError`, and then leaves `out` as it is.
    """
    # Kept where something fails, so that the builds can be looked at.
    work = Path(tempfile.mkdtemp(prefix="retrieval-robust-dist-"))
    built = build_twice(work)
    archives = sorted(built.iterdir())
    wheel = wheel_in(archives)
    # Shows what the next release will say, and refuses a name that it would leave out.
    _run_tool("towncrier", "build", "--draft", "--version", version_of(wheel))
    if tag is not None:
        require_none_left(ROOT)
        changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
        check_tag(tag, version_of(wheel), changelog)
    check(archives)
    bill = bill_of(wheel, python, ROOT / "pyproject.toml")
    if out.exists():
        shutil.rmtree(out)
    shutil.copytree(built, out / ARCHIVES)
    shutil.rmtree(work)
    bill_file = out / f"{wheel.name.split('-')[0]}-{version_of(wheel)}.cdx.json"
    bill_file.write_text(bill, encoding="utf-8")
    archives = sorted((out / ARCHIVES).iterdir())
    lines = [
        f"{sha256_of(path)}  {path.relative_to(out)}" for path in [*archives, bill_file]
    ]
    (out / "SHA256SUMS").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(*map(listing, archives), "", *lines, sep="\n")
    print("Both builds of the archives have the same bytes.")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m releasing.dist", description=__doc__
    )
    parser.add_argument("--tag", help="the tag of the release, which has to fit")
    parser.add_argument(
        "--environment",
        type=Path,
        default=ROOT / ".venv" / "bin" / "python",
        help="the Python of an environment in which the package is installed",
    )
    arguments = parser.parse_args()
    try:
        # In CI the variable of no tag is empty.
        make(ROOT / "dist", arguments.tag or None, arguments.environment)
    except ReleaseError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
