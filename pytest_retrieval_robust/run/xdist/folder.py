"""The folder of a run: ranks and samples cross there from workers to the controller."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from ...core.atomic_files import is_running, process_mark
from ...core.errors import ConfigError
from ...gate.arrays import RunStore

_SHARED = pytest.StashKey[str]()
_PREFIX = "retrieval-robust-"
_PROBE = 1 << 16
"""Bytes that a temporary folder must have room for at the start."""


def shared_folder(config: pytest.Config) -> str:
    """The folder of a run that has workers.

    The controller makes it once and removes it at the end. Raises `ConfigError` where
    the system's temporary folder has no room for it.
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
        # A full disk may still take an empty folder.
        probe = Path(folder.name, "room")
        probe.write_bytes(bytes(_PROBE))
        probe.unlink()
    except OSError as error:
        reason = error.strerror or type(error).__name__
    else:
        return folder
    # Outside of the handler: the message must not carry the path of the error.
    if folder is not None:
        folder.cleanup()
    raise ConfigError(
        f"Expected room in the system's temporary folder, got: {reason}. Free space"
        " there, or set TMPDIR to another folder."
    )


def _remove_abandoned_folders() -> None:
    """Remove what killed runs of this user left in the temporary folder.

    It may hold samples of images and texts.
    """
    if os.name != "posix":
        return
    _, _, own_host = process_mark().partition("-")
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        match = re.match(rf"{_PREFIX}(\d+)-([0-9a-f]{{8}})-", folder.name)
        if match is None:
            continue
        process, host = match.groups()
        if host != own_host or is_running(int(process)):
            continue
        with suppress(OSError):
            # A link is somebody else's trick: `rmtree` removes nothing behind one.
            if folder.lstat().st_uid == os.getuid():
                shutil.rmtree(folder, ignore_errors=True)


def run_folder(config: pytest.Config) -> Path:
    """Where the ranks of this run lie: the folder that the controller named to a worker,
    else this process's own.
    """
    # Only a worker has `workerinput`; the controller has put the folder into it.
    workerinput = getattr(config, "workerinput", {})
    folder: str | None = workerinput.get("retrieval_robust_store")
    return Path(folder or shared_folder(config))


def run_store(config: pytest.Config) -> RunStore:
    """The store of this process: its own, or the one that workers and controller share."""
    return RunStore(run_folder(config), alone=not hasattr(config, "workerinput"))
