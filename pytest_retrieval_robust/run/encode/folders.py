"""Folders and files beside the store's shards."""

from __future__ import annotations

import os
from pathlib import Path

from ...core.atomic_files import whole_file

FOLDER = "parts"
"""Within the store's folder."""


def private_folders(store: Path, folder: Path) -> None:
    """Make a folder within the store's, readable by their owner alone. Raises `OSError`."""
    if folder.is_dir():
        return
    store.parent.mkdir(parents=True, exist_ok=True)
    made = store
    made.mkdir(mode=0o700, exist_ok=True)
    for name in folder.relative_to(store).parts:
        made = made / name
        made.mkdir(mode=0o700, exist_ok=True)


def write_whole(store: Path, path: Path, text: str) -> None:
    """Write a file within the store's folder, whole or not at all. Raises `OSError`."""
    private_folders(store, path.parent)
    with whole_file(path) as unfinished:
        file = os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(file, "w", encoding="utf-8") as stream:
            stream.write(text)
