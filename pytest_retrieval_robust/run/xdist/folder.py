"""The folder of a run: ranks and samples cross there from workers to the controller."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ...core.atomic_files import is_running, process_mark
from ...core.errors import ConfigError
from ...gate.arrays import RunStore

if TYPE_CHECKING:
    pass


_SHARED = pytest.StashKey[str]()
_PREFIX = "retrieval-robust-"
_PROBE = 1 << 16
"""Bytes that a temporary folder must have room for at the start."""


def shared_folder(config: pytest.Config) -> str:
    """The folder of a run that has workers: made once by the controller, which removes
    it at the end.

    Raises `ConfigError` where the system's temporary folder has no room for it.
    """
    if _SHARED not in config.stash:
        folder = temporary_folder()
        config.add_cleanup(folder.cleanup)
        config.stash[_SHARED] = folder.name
    return config.stash[_SHARED]


def temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder for one run; `ConfigError` where there is no room for it."""
    folder: tempfile.TemporaryDirectory[str] | None = None
    try:
        _remove_abandoned_folders()
        folder = tempfile.TemporaryDirectory(
            prefix=f"{_PREFIX}{process_mark()}-", ignore_cleanup_errors=True
        )
        probe = Path(folder.name, "room")
        probe.write_bytes(
            bytes(_PROBE)
        )  # a disk may be full, and still take an empty folder
        probe.unlink()
    except OSError as error:
        why = error.strerror or type(error).__name__
    else:
        return folder
    if folder is not None:
        folder.cleanup()
    raise ConfigError(
        f"Expected room in the system's temporary folder, got: {why}. Free space there,"
        " or set TMPDIR to another folder."
    )


def _remove_abandoned_folders() -> None:
    """Remove what killed runs of this user left in the temporary folder: it may hold
    samples of images and texts.
    """
    if os.name != "posix":
        return
    mine = process_mark().partition("-")[2]
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        found = re.match(rf"{_PREFIX}(\d+)-([0-9a-f]{{8}})-", folder.name)
        if found is None or found[2] != mine or is_running(int(found[1])):
            continue
        with suppress(OSError):
            if folder.lstat().st_uid == os.getuid():
                shutil.rmtree(
                    folder, ignore_errors=True
                )  # of a link it removes nothing


def run_folder(config: pytest.Config) -> Path:
    """Where the ranks of this run lie: in the folder that the controller told a worker,
    else in its own.
    """
    told: str | None = getattr(config, "workerinput", {}).get("retrieval_robust_store")
    return Path(told or shared_folder(config))


def run_store(config: pytest.Config) -> RunStore:
    """The store of this process: its own, or the one that workers share with their controller."""
    return RunStore(run_folder(config), alone=not hasattr(config, "workerinput"))
