"""The files of a commit, laid out twice with every difference that must not matter."""

from __future__ import annotations

import os
import subprocess
import tarfile
from io import BytesIO
from pathlib import Path


class ReleaseError(Exception):
    """A release that cannot be made of what is there; the message says why."""


def git(root: Path, *words: str) -> bytes:
    """What git prints; `ReleaseError` where it fails."""
    done = subprocess.run(
        ["git", "-C", str(root), *words], capture_output=True, check=False
    )
    if done.returncode:
        raise ReleaseError(
            f"Expected a clone of the repository, got exit={done.returncode} of git"
            f" {words[0]}: {done.stderr.decode().strip()}. Run this in a clone."
        )
    return done.stdout


def clean_commit(root: Path) -> str:
    """The hash of the commit that the working tree equals.

    Raises `ReleaseError` if a file was changed or is new: it would not be in the
    archives, or in those of this machine alone.
    """
    changed = git(root, "status", "--porcelain").decode().splitlines()
    if changed:
        raise ReleaseError(
            f"Expected a working tree without changes, got {len(changed)} changed or"
            f" new files ({changed[0][3:]}, ...). Commit them or take them away."
        )
    return git(root, "rev-parse", "HEAD").decode().strip()


def commit_seconds(root: Path, commit: str) -> int:
    """When a commit was made, in seconds since 1970: the SOURCE_DATE_EPOCH."""
    return int(git(root, "log", "-1", "--format=%ct", commit))


def export(root: Path, commit: str, folder: Path) -> None:
    """Write the files of a commit, as git archives them."""
    with tarfile.open(fileobj=BytesIO(git(root, "archive", commit))) as archive:
        archive.extractall(folder, filter="data")


def export_otherwise(root: Path, commit: str, folder: Path) -> None:
    """Write the same files in the reverse order, for the owner alone, with another date."""
    with tarfile.open(fileobj=BytesIO(git(root, "archive", commit))) as archive:
        for member in reversed(archive.getmembers()):
            archive.extract(member, folder, filter="data")
    make_private_and_old(folder)


def make_private_and_old(folder: Path) -> None:
    """Take the rights of others away, and set every file's date to 2001."""
    for path in folder.rglob("*"):
        path.chmod(path.stat().st_mode & 0o700)
        os.utime(path, (10**9, 10**9))
