"""Takes the batches of a part and notes what became of each; their rows are let go."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from ...core.cases import CLEAN
from ...measure.sweep.receiver import Origin
from .counts import Counts, Fate
from .marks import Kind, Marks

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ...core.cases import Cell
    from ...core.errors import RobustError
    from ...core.progress import Counter
    from ...measure.embeddings.shards import EncodedBatch
    from ...measure.embeddings.store import EmbeddingStore
    from ...measure.sweep.batch import Batch
    from .under_way import UnderWay

BROKEN = (
    "a broken image is in the batch, of a data set that does not know its files: give it"
    " a content_digest method"
)
UNREAD = "an image's file could not be read for a moment: run this part again"
MEMORY = (
    "memory forced pieces that are smaller than a batch, which may round otherwise:"
    " lower --robust-batch-size, here and for the suite"
)
NO_HASH = (
    "the model has no hash of its weights, so that nothing says what its embeddings"
    " follow from: give its card a sha256"
)
UNKNOWN_MODEL = (
    "nothing says what the model's embeddings follow from: it refuses the pictures and"
    " sentences by which models are told apart, or its code is in no file, or was changed"
    " after this process had begun"
)
UNKNOWN_INPUTS = (
    "an occluder or a corruption does not say what its changes follow from: give it a"
    " looked_at method"
)


class Tally:
    """A `Receiver` that counts.

    Attributes:
        stopped_by: Why nothing more of this sweep is encoded; None while all goes well.
    """

    def __init__(
        self,
        cells: Sequence[Cell],
        counts: Counts,
        store: EmbeddingStore,
        marks: Marks,
        counter: Counter,
        under_way: UnderWay,
        *,
        knows_files: bool,
    ) -> None:
        """`knows_files`: whether the data set knows the content of its images' files.

        If it does not, a batch with a broken image has no keys.
        """
        self._knows_files = knows_files
        self._cells = cells
        self._counts = counts
        self._store = store
        self._marks = marks
        self._counter = counter
        self._under_way = under_way
        self._failed: set[Cell] = set()
        # Batches that were tried. Later ones of a failed cell are not.
        self._tried: set[int] = set()
        # Of each batch under way, where its cells come from.
        self._taken: dict[int, dict[Cell, Origin]] = {}
        # Batches come from the writer's thread, and are finished in the caller's.
        self._lock = Lock()
        self.stopped_by: str | None = None

    def begin(self) -> None:
        """A batch is about to be looked for."""
        self._under_way.begin()

    # Reports

    def take_reports(self, number: int, origin: Origin, key: str) -> None:
        """A batch of reports is there, from the store or encoded; `key` is its shard's."""
        self._note_origin(origin)
        self._end(Kind.REPORTS, number, _fate_of([origin]), key)

    def fail_reports(self, number: int, error: RobustError) -> None:
        self._counts.note_error(error.shown)
        self._end(Kind.REPORTS, number, Fate.FAILED)

    def take_gallery(self, *, is_kept: bool) -> None:
        """All reports are there, for occluders that look at them.

        Stops where not all are in the store: keys of images follow from their rows, which
        another process would not get again to the bit.
        """
        if not is_kept:
            self._note_origin(Origin.ENCODED)

    # Images

    def wants(self, cell: Cell) -> bool:
        return self.stopped_by is None and cell not in self._failed

    def begin_cell(self, cell: Cell) -> None:
        """Nobody asks which cell is under way."""

    def take(
        self,
        cell: Cell,
        batch: Batch,
        encoded: EncodedBatch,  # noqa: ARG002 - it is in the store
        origin: Origin,
    ) -> None:
        with self._lock:
            taken = self._taken.setdefault(batch.number, {})
            taken[cell] = origin
            self._note_origin(origin)
            is_whole = len(taken) == len(self._cells)
        is_new = origin is not Origin.STORE
        images = len(batch.plan.images)
        self._counter.add(cell.level, images, encoded=is_new, family=cell.family)
        # Now and not when it is finished, which may be a few batches later: whoever takes
        # over, and the closing lines after an interrupt, want to know what is there.
        if is_whole:
            key = batch.keys.get(CLEAN, "")
            self._end(Kind.IMAGES, batch.number, _fate_of(taken.values()), key)

    def fail(
        self,
        cell: Cell,
        batch: Batch,
        error: RobustError,
    ) -> None:
        with self._lock:
            self._failed.add(cell)
            self._tried.add(batch.number)
            self._counts.note_error(error.shown)

    def finish(self, batch: Batch) -> None:
        with self._lock:
            taken = self._taken.pop(batch.number, {})
            if len(taken) == len(self._cells):
                return
            fate = self._fate(taken)
        self._end(Kind.IMAGES, batch.number, fate)

    def _end(self, kind: Kind, number: int, fate: Fate | None, key: str = "") -> None:
        """Count a batch, and let other parts know of it."""
        self._under_way.end()
        if fate is None:
            return
        self._counts.add(fate)
        name = kind.name_of(number)
        if fate in (Fate.DONE, Fate.FOUND):
            self._marks.note_done(name, key)
        elif self.stopped_by is None and self._was_tried(kind, number, fate):
            # What stops this part may not stop another one, on another machine.
            self._marks.note_failed(name)

    def _was_tried(self, kind: Kind, number: int, fate: Fate) -> bool:
        is_left_out = fate is Fate.FAILED and number not in self._tried
        return kind is Kind.REPORTS or not is_left_out

    def _fate(self, taken: Mapping[Cell, Origin]) -> Fate | None:
        """What became of a batch that lacks a cell; None if the part dropped it to stop."""
        lacking = set(self._cells) - taken.keys()
        if lacking <= self._failed:
            return Fate.FAILED
        if self.stopped_by is not None:
            return None
        reason = UNKNOWN_INPUTS
        # The clean cell follows from no occluder: without it nothing has a key.
        if CLEAN in lacking - self._failed:
            reason = UNREAD if self._knows_files else BROKEN
        self._counts.note_not_kept(reason)
        return Fate.NOT_KEPT

    def _note_origin(self, origin: Origin) -> None:
        """Stop where what is encoded is not kept: it would be encoded again anyway."""
        if origin is not Origin.ENCODED or self.stopped_by is not None:
            return
        reason = MEMORY
        if self._store.refuses is not None:
            reason = f"the store takes nothing more: {self._store.refuses}"
        self._counts.note_not_kept(reason)
        self.stopped_by = reason


def _fate_of(origins: Collection[Origin]) -> Fate:
    if Origin.ENCODED in origins:
        return Fate.NOT_KEPT
    if Origin.ENCODED_AND_KEPT in origins:
        return Fate.DONE
    return Fate.FOUND
