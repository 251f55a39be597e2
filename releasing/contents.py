"""What a wheel and a source archive may contain, and how large they may be."""

from __future__ import annotations

import argparse
import stat
import tarfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

MEGABYTE = 1_000_000
PACKAGE = "pytest_retrieval_robust"
SHIPPED_SUFFIXES = frozenset(
    [".py", ".json", ".md", ".safetensors", ".css", ".js", ".j2", ".toml"]
)
"""Suffixes of the package's own files."""
NO_SUFFIX = frozenset(["py.typed", "SHA256SUMS"])


@dataclass(frozen=True)
class Member:
    """A file of an archive."""

    path: PurePosixPath
    """Below the archive's root folder."""
    size: int
    """Bytes, unpacked."""
    mode: int
    """Permission bits."""
    is_regular: bool
    """Whether it is no link and no device."""


@dataclass(frozen=True)
class Allowed:
    """What one kind of archive may contain."""

    folders: frozenset[str]
    """Folders at the root, with every file below them."""
    root_files: frozenset[str]
    """Names of files at the root."""
    suffixes: frozenset[str]
    names: frozenset[str]
    """Names of files whose suffix says nothing."""
    most_bytes: int
    """Of the archive, packed."""

    def problem(self, member: Member) -> str:
        """Why a file may not be in the archive; "" if it may."""
        path = member.path
        if not member.is_regular:
            return "is no regular file"
        if member.mode not in (0o644, 0o755):
            return f"has mode={member.mode:o}, expected 644 or 755"
        if len(path.parts) == 1:
            return "" if path.name in self.root_files else "is a new file at the root"
        if path.parts[0] not in self.folders:
            return f"is in the new folder {path.parts[0]}/"
        if path.suffix not in self.suffixes and path.name not in self.names:
            return f"has the new suffix {path.suffix!r}"
        return ""


WHEEL = Allowed(
    # The folder of metadata is named after the version: `members` calls it this.
    folders=frozenset([PACKAGE, "dist-info"]),
    root_files=frozenset(),
    suffixes=SHIPPED_SUFFIXES | {".txt"},
    names=NO_SUFFIX | {"METADATA", "WHEEL", "RECORD", "LICENSE", "NOTICE"},
    most_bytes=20 * MEGABYTE,
)
SDIST = Allowed(
    folders=frozenset(
        [
            PACKAGE,
            "suites",
            "tests",
            "training",
            "releasing",
            "benchmarks",
            "docs",
            "changes",
        ]
    ),
    root_files=frozenset(
        [
            "ARCHITECTURE.md",
            "CHANGELOG.md",
            "CITATION.cff",
            "CONTRIBUTING.md",
            "LICENSE",
            "Makefile",
            "NOTICE",
            "PKG-INFO",
            "README.md",
            "SECURITY.md",
            ".gitignore",
            "conftest.py",
            "constraints-oldest.txt",
            "constraints.txt",
            "pyproject.toml",
        ]
    ),
    suffixes=SHIPPED_SUFFIXES
    | {".txt", ".yml", ".html", ".png", ".sh", ".npz", ".tar", ".csv"}
    # Inputs of the fuzzer's corpora.
    | {".bin"},
    names=NO_SUFFIX,
    most_bytes=25 * MEGABYTE,
)


def members(archive: Path) -> Iterator[Member]:
    """The files of a wheel or of a source archive, in the archive's order."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            for info in wheel.infolist():
                mode = info.external_attr >> 16
                # Files that a builder writes from memory have no type.
                is_regular = stat.S_IFMT(mode) in (0, stat.S_IFREG)
                path = PurePosixPath(info.filename)
                if path.parts[0].endswith(".dist-info"):
                    path = PurePosixPath("dist-info", *path.parts[1:])
                yield Member(path, info.file_size, stat.S_IMODE(mode), is_regular)
        return
    with tarfile.open(archive) as sdist:
        for entry in sdist:
            path = PurePosixPath(*PurePosixPath(entry.name).parts[1:])
            yield Member(path, entry.size, stat.S_IMODE(entry.mode), entry.isreg())


def problems(archive: Path) -> list[str]:
    """What an archive contains that it may not, a sentence per file."""
    allowed = WHEEL if archive.suffix == ".whl" else SDIST
    found = [
        f"{archive.name}: {member.path} {problem}."
        for member in members(archive)
        if (problem := allowed.problem(member))
    ]
    size = archive.stat().st_size
    if size > allowed.most_bytes:
        found.append(
            f"{archive.name}: expected at most {allowed.most_bytes} bytes, got"
            f" size={size}."
        )
    return found


def listing(archive: Path) -> str:
    """Files and unpacked bytes per folder, two levels deep, and the archive's size."""
    files: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for member in members(archive):
        folder = str(PurePosixPath(*member.path.parts[:-1][:2]))
        files[folder] += 1
        sizes[folder] += member.size
    rows = [
        f"{sizes[folder]:>12,} {files[folder]:>6}  {folder}" for folder in sorted(files)
    ]
    title = f"{archive.name}: {archive.stat().st_size:,} bytes packed"
    return "\n".join([title, "       bytes  files  folder", *rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archives", nargs="+", type=Path)
    archives: list[Path] = parser.parse_args().archives
    for archive in archives:
        print(listing(archive))
    found = [problem for archive in archives for problem in problems(archive)]
    if found:
        advice = "Take it out, or allow it in releasing/contents.py."
        raise SystemExit("\n".join([*found, advice]))


if __name__ == "__main__":
    main()
