"""Small whole files in the store's folder: which parts were here, and where a batch lies.

No embedding depends on them. They save a process that takes over what others have left
from reading every image of theirs, and show a person that a store is not shared.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.atomic_files import process_mark, whole_file
from ...core.cases import CLEAN
from ...core.errors import ConfigError
from ...core.files import open_regular
from ...measure.embeddings.keys import key_of
from .part import Part

if TYPE_CHECKING:
    from ...measure.embeddings.shards import ModelShards
    from ...measure.embeddings.store import EmbeddingStore
    from ...measure.sweep.plan import SweepPlan

FOLDER = "parts"
"""Within the store's folder, beside the folders of its shards."""
_BATCHES = "batches"


@dataclass(frozen=True)
class PartNote:
    """What a part says of itself, for people: no path, no id, no text."""

    part: int
    parts: int
    host: str
    """A mark of the machine, which does not name it."""
    started: str
    """By the clock of that machine: nothing is decided by it."""
    done: int = 0
    found: int = 0
    failed: int = 0
    not_kept: int = 0
    has_ended: bool = False
    """Whether the part came to its end, whatever became of its batches."""


class SweepNotes:
    """The notes about one model on one data set with one choice of cells."""

    def __init__(self, store: EmbeddingStore, work: str) -> None:
        self._store = store
        self._folder = store.folder / FOLDER / work

    @classmethod
    def of(
        cls, store: EmbeddingStore, plan: SweepPlan, shards: ModelShards
    ) -> SweepNotes:
        return cls(store, work_key(plan, shards))

    def write_part(self, note: PartNote) -> None:
        """Say how far a part is, in place of what it said before."""
        name = f"{note.part}-of-{note.parts}.json"
        self._write(self._folder / name, asdict(note))

    def parts_seen(self, count: int) -> list[PartNote]:
        """What the parts of `count` said last, in order; those that said nothing are left out."""
        notes = []
        for number in range(1, count + 1):
            note = _read(self._folder / f"{number}-of-{count}.json")
            # Another version may have written other fields.
            if isinstance(note, dict):
                with suppress(TypeError):
                    notes.append(PartNote(**note))
        return notes

    def note_batch(self, number: int, keys: Sequence[str]) -> None:
        """Say where the store keeps a batch of which it has every cell."""
        self._write(self._folder / _BATCHES / f"{number}.json", list(keys))

    def has_batch(self, number: int) -> bool:
        """Whether a batch was kept, and all of its shards are still there.

        No image is read for it. A batch that changed meanwhile is encoded again by the
        part that it belongs to, or by the suite.
        """
        keys = _read(self._folder / _BATCHES / f"{number}.json")
        if not isinstance(keys, list) or not keys:
            return False
        return all(isinstance(key, str) and self._store.has(key) for key in keys)

    def _write(self, path: Path, value: object) -> None:
        # A note is not worth the end of a run. That the disk is full is said of shards.
        with suppress(OSError):
            _write_whole(self._store, path, json.dumps(value))


def work_key(plan: SweepPlan, shards: ModelShards) -> str:
    """A key of what is encoded: model, reports, images, cells and the size of batches.

    Another choice of any of them has notes of its own.
    """
    cells = [
        (cell.occluder, cell.level, cell.seed) for cell in plan.cells if cell != CLEAN
    ]
    counts = [len(plan.pairs.images), len(plan.pairs.reports), plan.batch_size]
    ids = "\0".join(plan.pairs.image_ids).encode("utf-8", "surrogatepass")
    texts = "\0".join(plan.pairs.texts).encode("utf-8", "surrogatepass")
    return key_of(
        b"part",
        shards.image_key(b"", []).encode(),
        plan.pairs.dataset.name.encode(),
        json.dumps([cells, counts]).encode(),
        ids,
        texts,
    )


def new_note(part: Part, started: str) -> PartNote:
    host = process_mark().rpartition("-")[2]
    return PartNote(part.number, part.count, host, started)


def check_writable(store: EmbeddingStore) -> None:
    """Raise `ConfigError` where nothing can be written beside the store's shards."""
    probe = store.folder / FOLDER / f"probe-{process_mark()}"
    reason = None
    try:
        _write_whole(store, probe, "")
        probe.unlink()
    except OSError as error:
        reason = error.strerror or type(error).__name__
    if reason is not None:
        raise ConfigError(
            f"Expected an embedding store that can be written, got: {reason}. Free space"
            " or fix the permissions, or choose another --robust-cache-dir."
        )


def _write_whole(store: EmbeddingStore, path: Path, text: str) -> None:
    """Write a file of the store's folder. Raises `OSError`."""
    store.folder.parent.mkdir(parents=True, exist_ok=True)
    inner = path.parent.relative_to(store.folder)
    # As the store's own folders: readable by their owner alone.
    folder = store.folder
    folder.mkdir(mode=0o700, exist_ok=True)
    for name in inner.parts:
        folder = folder / name
        folder.mkdir(mode=0o700, exist_ok=True)
    with whole_file(path) as unfinished:
        descriptor = os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)


def _read(path: Path) -> object:
    """What a note holds; None where there is none, or it is no note."""
    try:
        with open_regular(path) as stream:
            return json.loads(stream.read())
    except (OSError, ValueError):
        return None
