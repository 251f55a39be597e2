"""What each part says of itself, in a small file in the store's folder.

No embedding depends on it. It shows a person that a store is not shared.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from ...core.atomic_files import process_mark
from ...core.errors import ConfigError
from ...core.files import open_regular
from ...measure.embeddings.keys import key_of
from .folders import FOLDER, write_whole
from .marks import Marks
from .part import Part

if TYPE_CHECKING:
    from pathlib import Path

    from ...measure.embeddings.shards import ModelShards
    from ...measure.embeddings.store import EmbeddingStore
    from ...measure.sweep.plan import SweepPlan


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
    """The notes and marks about one model on one data set with one choice of cells."""

    def __init__(self, store: EmbeddingStore, work: str) -> None:
        self._store = store.folder
        self._folder = store.folder / FOLDER / work
        self.marks = Marks(store.folder, self._folder / "marks")

    @classmethod
    def of(
        cls, store: EmbeddingStore, plan: SweepPlan, shards: ModelShards
    ) -> SweepNotes:
        return cls(store, work_key(plan, shards))

    def write_part(self, note: PartNote) -> None:
        """Say how far a part is, in place of what it said before."""
        path = self._folder / f"{note.part}-of-{note.parts}.json"
        # A note is not worth the end of a run. That a disk is full is said of shards.
        with suppress(OSError):
            write_whole(self._store, path, json.dumps(asdict(note)))

    def parts_seen(self, count: int) -> list[PartNote]:
        """What the parts of `count` said last, in order, without those that said nothing."""
        notes = []
        for number in range(1, count + 1):
            note = _note_of(_read(self._folder / f"{number}-of-{count}.json"))
            if note is not None and note.part == number:
                notes.append(note)
        return notes


def _note_of(data: object) -> PartNote | None:
    """None for what another version wrote, or something else."""
    if not isinstance(data, dict):
        return None
    usual = asdict(PartNote(0, 0, "", ""))
    is_alike = data.keys() == usual.keys() and all(
        type(value) is type(usual[name]) for name, value in data.items()
    )
    return PartNote(**data) if is_alike else None


def work_key(plan: SweepPlan, shards: ModelShards) -> str:
    """A key of what is encoded: model, reports, images, cells and the size of batches.

    Another choice of any of them has notes and marks of its own.
    """
    cells = [
        (cell.family, cell.occluder, cell.level, cell.seed)
        for cell in (*plan.changes, *plan.noises)
    ]
    pairs = plan.pairs
    sizes = [len(pairs.images), len(pairs.reports), plan.batch_size]
    return key_of(
        b"part",
        shards.image_key(b"", []).encode(),
        pairs.dataset.name.encode(),
        json.dumps([cells, sizes]).encode(),
        "\0".join(pairs.image_ids).encode("utf-8", "surrogatepass"),
        "\0".join(pairs.texts).encode("utf-8", "surrogatepass"),
    )


def new_note(part: Part, started: str) -> PartNote:
    host = process_mark().rpartition("-")[2]
    return PartNote(part.number, part.count, host, started)


def check_writable(store: EmbeddingStore) -> None:
    """Raise `ConfigError` where nothing can be written beside the store's shards."""
    probe = store.folder / FOLDER / f"probe-{process_mark()}"
    reason = None
    try:
        write_whole(store.folder, probe, "")
        probe.unlink()
    except OSError as error:
        reason = error.strerror or type(error).__name__
    if reason is not None:
        raise ConfigError(
            f"Expected an embedding store that can be written, got: {reason}. Free space"
            " or fix the permissions, or choose another --robust-cache-dir."
        )


def _read(path: Path) -> object:
    """What a note holds; None where there is none, or it is no note."""
    try:
        with open_regular(path) as stream:
            return json.loads(stream.read())
    except (OSError, ValueError):
        return None
