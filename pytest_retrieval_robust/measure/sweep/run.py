"""The one procedure: prepare each image once, then change, encode, rank and measure for every cell.

The task is the occlusion retrieval of arXiv 2501.09134: an image of which a share is
hidden is the query, reports are the gallery, and the other way round.

An engine encodes (`local` in this process): `Feed` reads a batch, a `Lane` hides or
corrupts and encodes it on a device, the `Writer` checks and stores it. `Gathered` takes
what comes, and `CellRanking` ranks what was gathered of a cell. Where reports are changed,
and images are not, `NoisedReports` encodes these alone. Boundaries of batches depend on
nothing but the batch size, so that a killed run, resumed from the store, ends with the same
numbers, and so that several processes may share the batches out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...core.cases import CLEAN, Cell
from ...core.encoding import batch_size as usual_batch_size
from ...core.errors import DatasetError, RobustError, TimedOutError
from ...core.progress import Counter, Tell
from ...core.time_limit import TimeLimit, within
from ..abilities import most_skipped
from ..counterfactual.sweep_edits import SweepEdits
from ..pairs import Pairs, check_ks, describe
from .batch import Batch, digests_of
from .changes import is_text_noise
from .conclude import CellRanking
from .gallery import chosen_rows
from .gathered import Gathered
from .local import local_engine
from .noised import NoisedReports
from .plan import Decoding, SweepPlan
from .reached import Reached, Stage, timed_out
from .results import Measured, SweepResult
from .spill import Spill
from .stored import stored_bytes
from .truncated import truncated_once

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from ...core.counterfactuals import EditedReports
    from ...models import DualEncoder
    from ...retrieval.metrics.named import NamedMetric
    from ...texts.noise import TextNoise
    from ..embeddings.store import EmbeddingStore
    from .changes import ImageChange, Perturbation
    from .engine import Engine, SweepEngine
    from .kept_pictures import KeptPictures, PicturesOfOneWay
    from .space import RowSpace

__all__ = ["Measured", "SweepOptions", "SweepResult", "plan_sweep", "run_sweep"]


@dataclass(frozen=True, eq=False, repr=False)
class SweepOptions:
    """How a sweep measures, and what it does besides."""

    precision: str = "fp32"
    batch_size: int | None = None
    """Images per batch; None for what is usual on the device."""
    store: EmbeddingStore | None = None
    """Embeddings that it has are taken from it, and new ones are saved there as they come."""
    copies: Callable[[], Sequence[DualEncoder]] = tuple
    """The same model on further devices, among which batches are shared out.

    It is called once there is something to encode.
    """
    engine: Engine | None = None
    """What encodes; None for this process, with `copies`."""
    tell: Tell | None = None
    """Called with the progress after each batch of a cell, from any thread, one at a time."""
    metrics: Sequence[NamedMetric] = ()
    """Computed from the ranks of every cell, beside Recall@k."""
    decoding: Decoding = "host"
    """Where JPEGs are decoded: with Pillow, or with torchvision on the model's device,
    whose pixels differ by rounding.
    """
    tell_size: Callable[[int], None] | None = None
    """Called with the bytes that the store needs for the sweep, before images are encoded."""
    timeout: float | None = None
    """Seconds after which the sweep is ended; None for no limit."""
    pictures: KeptPictures | None = None
    """Prepared images are taken from it, and put there for further models of a run."""
    edits: EditedReports | None = None
    """Edits of the data set's reports, with which the images of every cell are compared."""


def run_sweep(
    model: DualEncoder,
    pairs: Pairs,
    cells: Sequence[tuple[Cell, Perturbation]],
    ks: Sequence[int],
    options: SweepOptions = SweepOptions(),
) -> SweepResult:
    """Measure level 0 and every cell of `cells`; a cell that fails leaves the others untouched.

    Raises `RankingError` for a k above a gallery, `EmbeddingError` for reports that
    cannot be embedded and `TimedOutError` after `options.timeout` seconds: then no cell
    could be measured.
    """
    plan = plan_sweep(model, pairs, cells, ks, options)
    counter = Counter(
        model.name, pairs.dataset.name, encodings(pairs, cells), options.tell
    )
    with closing(counter):
        return _Sweep(plan, options, counter).run_in_time()


def encodings(pairs: Pairs, cells: Sequence[tuple[Cell, Perturbation]]) -> int:
    """How much a sweep encodes: every image once as it is and once per cell that changes
    images, every report once per cell that changes reports.
    """
    noised = sum(cell.family == "text-noise" for cell, _ in cells)
    images = len(pairs.images) * (1 + len(cells) - noised)
    return images + len(pairs.reports) * noised


def plan_sweep(
    model: DualEncoder,
    pairs: Pairs,
    cells: Sequence[tuple[Cell, Perturbation]],
    ks: Sequence[int],
    options: SweepOptions = SweepOptions(),
) -> SweepPlan:
    """What `run_sweep` measures. Raises `RankingError` for a k above a gallery."""
    check_ks(pairs, ks)
    changes: dict[Cell, ImageChange] = {}
    noises: dict[Cell, TextNoise] = {}
    for cell, change in cells:
        if is_text_noise(change):
            noises[cell] = change
        else:
            changes[cell] = change
    return SweepPlan(
        model,
        pairs,
        changes,
        ks,
        options.precision,
        options.batch_size or usual_batch_size(model.device),
        options.metrics,
        options.decoding,
        _kept_pictures(options.pictures, model, pairs),
        noises,
    )


class _Sweep:
    """A sweep under way."""

    def __init__(
        self, plan: SweepPlan, options: SweepOptions, counter: Counter
    ) -> None:
        self._plan = plan
        self._options = options
        self._counter = counter
        self._spill = Spill(folders_beside(options.store))
        self._limit = TimeLimit(options.timeout)
        self._gathered = Gathered(
            plan.cells, self._spill, counter, check=self._limit.check
        )
        self._stage = Stage.REPORTS
        self._ranked = 0
        self._edits = SweepEdits(plan, options.edits, self._spill.space)

    def run_in_time(self) -> SweepResult:
        """The sweep, or `TimedOutError`."""
        return within(self._limit, self._run, self._too_late)

    def _run(self) -> SweepResult:
        options = self._options
        store = options.store
        begin = options.engine or local_engine(options.copies)
        engine = begin(self._plan, store)
        # Reports come first: without them no cell can be measured, and a model-guided
        # occluder searches among them.
        reports = engine.gallery(self._spill.space)
        # The width of a row is known from here on, and images take most of the time.
        if self._is_kept and options.tell_size is not None:
            options.tell_size(stored_bytes(self._plan, reports.shape[1]))
        self._edits.encode(reports, store)
        with closing(self._spill):
            self._stage = Stage.IMAGES
            engine.gather(reports, self._gathered)
            self._stage = Stage.RANKS
            return self._conclude(engine, reports)

    @property
    def _is_kept(self) -> bool:
        """Whether the store keeps what is encoded."""
        store = self._options.store
        return store is not None and self._plan.model.card.sha256 is not None

    def _too_late(self, limit: TimeLimit) -> TimedOutError:
        reached = Reached(
            self._stage,
            batches=len(self._plan.batches),
            whole_batches=self._gathered.whole_batches,
            cells=len(self._plan.cells) + len(self._plan.noises),
            ranked=self._ranked,
            under_way=self._gathered.under_way,
            is_kept=self._is_kept,
        )
        plan = self._plan
        return timed_out(limit, plan.model.name, plan.pairs.dataset.name, reached)

    def _conclude(self, engine: SweepEngine, reports: Tensor) -> SweepResult:
        plan = self._plan
        space = self._spill.space
        batches = self._gathered.batches_in_order
        pairs, remain = _without_skipped(plan, batches)
        reports = _remaining(reports, remain, space)
        ranking = CellRanking(
            plan,
            pairs,
            reports,
            self._spill,
            engine.timing,
            self._edits.ranking(pairs, reports),
        )
        cells: dict[Cell, Measured | RobustError] = {}
        for cell, gathered in self._gathered.cells.items():
            cells[cell] = ranking.conclude(cell, gathered)
            self._note_ranked()
            # What waits in memory, because no disk took it, is freed cell by cell.
            if cell != CLEAN or not plan.noises:
                gathered.batches.clear()
        noised = NoisedReports(
            ranking, engine, lambda rows: _remaining(rows, remain, space)
        )
        for cell, result in noised.measure(self._gathered.cells[CLEAN]):
            cells[cell] = result
            self._counter.add(cell.level, len(plan.pairs.reports), encoded=False)
            self._note_ranked()
        skipped = sum(int((~batch.is_readable).sum()) for batch in batches)
        digest = digests_of(batches)
        dataset = describe(pairs, plan.ks, pixel_digest=digest, skipped=skipped)
        # What was decoded as ever has nothing to say.
        if plan.decoding != "host":
            dataset["decoding"] = plan.decoding
        truncated = truncated_once(plan.model, pairs.texts)
        return SweepResult(cells, pairs, dataset, truncated, self._edits.error)

    def _note_ranked(self) -> None:
        self._ranked += 1
        self._limit.check()


def _kept_pictures(
    kept: KeptPictures | None, model: DualEncoder, pairs: Pairs
) -> PicturesOfOneWay | None:
    return None if kept is None else kept.for_model(model, pairs.dataset)


def folders_beside(store: EmbeddingStore | None) -> tuple[Path, ...]:
    """Where files without a name go, the first choice first.

    Beside the shards there is room for much; the temporary folder may be memory.
    """
    if store is None:
        return ()
    return (store.folder, *store.folder.parents[:2])


def _without_skipped(
    plan: SweepPlan, batches: Sequence[Batch]
) -> tuple[Pairs, NDArray[np.bool_] | None]:
    """The readable images and the reports that are right for one; and which of the plan's
    reports these are, None for all.
    """
    pairs = plan.pairs
    dataset = pairs.dataset
    images = np.concatenate([batch.images for batch in batches])
    skipped = len(pairs.images) - len(images)
    # Nearly always: then the pairs stay as they are, reports without an image included.
    if not skipped:
        return pairs, None
    most = most_skipped(dataset)
    if skipped > most * len(pairs.images):
        raise DatasetError(
            f"Expected at most {100 * most:g} % broken images in {dataset.name}, got"
            f" skipped={skipped} of {len(pairs.images)}. Fix them, or raise"
            " most_skipped."
        )
    if len(images) == 0:
        raise DatasetError(
            f"Expected images that can be read in {dataset.name}, got none. Fix its"
            " files or its root."
        )
    remain = np.isin(pairs.report_groups, pairs.columns.image_groups[images])
    readable = Pairs(dataset, images, pairs.reports[remain])
    check_ks(readable, plan.ks)
    return readable, remain


def _remaining(
    rows: Tensor, remain: NDArray[np.bool_] | None, space: RowSpace
) -> Tensor:
    """The rows of the reports that remain."""
    return rows if remain is None else chosen_rows(rows, remain, space)
