"""The one procedure: prepare each image once, then hide, encode, rank and measure for every cell.

The task is the occlusion retrieval of arXiv 2501.09134: an image of which a share is
hidden is the query, reports are the gallery, and the other way round.

Batches are read ahead by threads (`feeding`), encoded on as many devices as there are
copies of the model (`_Lane`), and checked and stored by one thread behind them
(`_Gathered`). Their boundaries depend on nothing but the batch size, so that a killed
run, resumed from the store, ends with the same numbers.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from copy import copy
from dataclasses import dataclass, field, replace
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...core.calling import image_rows
from ...core.cases import CLEAN, Cell, Json
from ...core.errors import (
    DatasetError,
    EmbeddingError,
    ModelError,
    OcclusionError,
    RobustError,
)
from ...core.foreign import FOREIGN, described, let_go, without_frames
from ...core.memory import advice_on, in_pieces, limits_of
from ...core.outcomes import Scores, Timing
from ...core.progress import Counter, Tell
from ...core.rows import joined
from ...occluders._frames import visible_level
from ...occluders._scene import Scene, Setting, encode, unit_scale
from ...occluders._scene import batch_size as usual_batch
from ..embeddings.keys import occluder_identity
from ..embeddings.shards import EncodedBatch, ModelShards
from ..pairs import Pairs, check_ks, describe
from ..query_keys import id_hash, secret_of
from ..timing.clock import Laps
from .feed import Contents, Fed, Feed, Shelf, digests_of
from .gallery import checked, encode_gallery, require_variety
from .scores import both_scores, ranks_of
from .spill import Spill, Waiting

if TYPE_CHECKING:
    from ...models import DualEncoder
    from ...occluders import Box, Occluder
    from ..embeddings.store import EmbeddingStore

P = ParamSpec("P")
T = TypeVar("T")
_IN_FLIGHT = 2
"""Batches of a lane that may be under way: the device has the next one before it is
done with the last.
"""


@dataclass(frozen=True, repr=False)
class Measured:
    """A measured cell: scores and ranks of both directions, the shares hidden, and the
    time it took.
    """

    achieved_level: float
    visible_level: float
    image_to_report: Scores
    report_to_image: Scores
    image_ranks: NDArray[np.int64]
    report_ranks: NDArray[np.int64]
    timing: Timing


@dataclass(frozen=True, repr=False)
class SweepResult:
    """Every cell that was asked for: measured, or the error that it ended with."""

    cells: dict[Cell, Measured | RobustError]
    pairs: Pairs
    """What was evaluated: what was asked for, without the images that the data set
    skips because they are broken.
    """
    dataset: Json
    truncated_reports: int | None


def run_sweep(
    model: DualEncoder,
    pairs: Pairs,
    cells: Sequence[tuple[Cell, Occluder]],
    ks: Sequence[int],
    *,
    precision: str = "fp32",
    batch_size: int | None = None,
    store: EmbeddingStore | None = None,
    copies: Callable[[], Sequence[DualEncoder]] = tuple,
    tell: Tell | None = None,
) -> SweepResult:
    """Measure level 0 and every cell of `cells`; a cell that fails leaves the others untouched.

    Embeddings that `store` has are taken from there, the others are kept there as they
    come. `copies` gives the same model on further devices, among which batches are
    shared out; it is asked once there is something to encode. `tell` is called with the
    progress after each batch of a cell, from any thread, one at a time.

    Raises `RankingError` for a k above a gallery and `EmbeddingError` for reports that
    cannot be embedded: then no cell could be measured.
    """
    check_ks(pairs, ks)
    size = batch_size or usual_batch(model.device)
    counter = Counter(
        model.name, pairs.dataset.name, len(pairs.images) * (1 + len(cells)), tell
    )
    sweep = _Sweep(
        model, copies, pairs, dict(cells), ks, precision, size, store, counter
    )
    try:
        return sweep.run()
    finally:
        counter.close()


@dataclass(frozen=True, repr=False)
class _Kept:
    """What waits of a cell's batch until it is ranked."""

    rows: Waiting
    shares: Waiting
    visible: float

    @classmethod
    def of(cls, batch: EncodedBatch, spill: Spill) -> _Kept:
        return cls(spill.put(batch.rows), spill.put(batch.shares), batch.visible)


@dataclass(repr=False)
class _Gathered:
    """What has been gathered of one cell while the batches go by."""

    batches: dict[int, _Kept] = field(default_factory=dict)
    error: RobustError | None = None
    encoded: int = 0
    """Images that this run encoded: the others came from the store."""
    _failed_at: int = 0
    _lock: Lock = field(default_factory=Lock)

    def fail(self, number: int, error: RobustError) -> None:
        """Of several failures the first batch's is told."""
        with self._lock:
            if self.error is None or number < self._failed_at:
                self.error, self._failed_at = without_frames(error), number

    @property
    def in_order(self) -> list[_Kept]:
        return [self.batches[number] for number in sorted(self.batches)]


@dataclass(frozen=True)
class _Part:
    """What a device made of a part of a batch, not checked yet."""

    rows: Tensor
    shares: NDArray[np.float64]
    """The share of each image that was hidden."""
    mask: Tensor | None
    frames: Sequence[Box]

    def visible(self) -> float:
        """The sum over the images of the share of their visible part that was hidden."""
        return (
            0.0
            if self.mask is None
            else visible_level(self.mask, self.frames) * len(self.frames)
        )


class _Lane:
    """One copy of the model on its device, and the time that it spends."""

    def __init__(
        self, setting: Setting, model: DualEncoder, occluders: Mapping[Cell, Occluder]
    ) -> None:
        self.setting, self.model, self._occluders = setting, model, occluders
        self.limits = limits_of(model)
        self.encoding = {cell: Laps(model.device) for cell in (CLEAN, *occluders)}
        self.occluding = {cell: Laps(model.device) for cell in (CLEAN, *occluders)}
        self._buffer: Tensor | None = None
        self._is_warm = False

    def scenes(self, fed: Fed, pairs: Pairs) -> Iterator[Scene]:
        """The batch on this lane's device: one scene, or several, one after the other,
        where memory is short.
        """

        def scene(part: slice) -> Scene:
            assert fed.pixels is not None
            numbers, dataset = fed.images[part], pairs.dataset
            return Scene(
                self.setting,
                [int(number) for number in numbers],
                [dataset.image_ids[int(number)] for number in numbers],
                unit_scale(fed.pixels.stacked[part], self.model.device),
                fed.pixels.frames[part],
                dataset.image_groups[numbers],
            )

        return in_pieces(
            len(fed.images), self.limits, "scene", scene, self.model.device
        )

    def warm_up(self, scene: Scene) -> None:
        """Lazy set-up stays out of the timing.

        What fails here fails again where it is measured, and is said there.
        """
        if not self._is_warm:
            with suppress(RobustError):
                encode(self.model, scene.pixels[:4])
        self._is_warm = True

    def encoded(
        self, cell: Cell, occluder: Occluder | None, scene: Scene
    ) -> list[_Part]:
        """What the model makes of a scene with the cell's share hidden, in parts that
        memory holds.
        """

        def work(part: slice) -> _Part:
            frames = scene.frames[part]
            if occluder is None:
                rows = self._rows(cell, scene.pixels[part])
                return _Part(rows, np.zeros(len(frames)), None, frames)
            pixels, ids = scene.pixels[part], scene.ids[part]
            size = (pixels.shape[-2], pixels.shape[-1])
            mask = occluder.mask(
                ids, cell.level, cell.seed, size, frames, device=self.model.device
            )
            shares = np.array(
                occluder.shares(ids, cell.level, cell.seed), dtype=np.float64
            )
            with self.occluding[cell].running():
                hidden = occluder.occlude(
                    pixels, ids, cell.level, cell.seed, frames, out=self._room(pixels)
                )
            return _Part(self._rows(cell, hidden), shares, mask, frames)

        return list(
            in_pieces(len(scene.ids), self.limits, "images", work, self.model.device)
        )

    def _rows(self, cell: Cell, pixels: Tensor) -> Tensor:
        with self.encoding[cell].running():
            return image_rows(self.model, pixels)

    def _room(self, pixels: Tensor) -> Tensor:
        """A buffer that the next cell writes to again: memory in use costs less than
        fresh memory.
        """
        if self._buffer is None or (self._buffer.shape, self._buffer.dtype) != (
            pixels.shape,
            pixels.dtype,
        ):
            self._buffer = None  # before there are two
            self._buffer = torch.empty_like(pixels)
        return self._buffer

    def bound(
        self, scene: Scene, cells: Sequence[Cell]
    ) -> dict[str, Occluder | RobustError]:
        """The occluders for this batch: what one has to find out, it finds out once for
        all levels and seeds.
        """
        found: dict[str, Occluder | RobustError] = {}
        for cell in cells:
            occluder = self._occluders.get(cell)
            if occluder is not None and occluder.name not in found:
                try:
                    found[occluder.name] = occluder.bind(scene)
                except FOREIGN as error:
                    found[occluder.name] = cell_error(self.model, occluder, error)
        return found


class _Sweep:
    """One model on one data set."""

    def __init__(
        self,
        model: DualEncoder,
        copies: Callable[[], Sequence[DualEncoder]],
        pairs: Pairs,
        occluders: dict[Cell, Occluder],
        ks: Sequence[int],
        precision: str,
        batch_size: int,
        store: EmbeddingStore | None,
        counter: Counter,
    ) -> None:
        self._model, self._copies, self._pairs, self._occluders, self._ks = (
            model,
            copies,
            pairs,
            occluders,
            ks,
        )
        # Beside the shards there is room for embeddings; the temporary folder may be in memory.
        self._spill = Spill(
            () if store is None else (store.folder, *store.folder.parents[:2])
        )
        self._lanes: list[_Lane] = []
        self._counter = counter
        self._stop = Event()
        self._secret = secret_of(pairs)
        self._precision, self._batch_size = precision, batch_size
        self._gathered = {cell: _Gathered() for cell in (CLEAN, *occluders)}
        self._shards = ModelShards.of(store, model, precision)

    def run(self) -> SweepResult:
        reports = encode_gallery(
            self._model, self._pairs.texts, self._batch_size, self._shards
        )
        setting = Setting(
            self._model, self._pairs.dataset, reports, self._pairs.report_groups
        )
        shelf = None if self._shards is None else self._shelf(setting, self._shards)
        with closing(self._spill):
            seen = self._measure(
                Feed(self._model, self._pairs, self._batch_size, self._secret, shelf),
                setting,
            )
            reports = self._without_skipped(reports, seen)
            cells = {
                cell: self._conclude(cell, gathered, reports)
                for cell, gathered in self._gathered.items()
            }
        return SweepResult(
            cells, self._pairs, self._describe_dataset(seen), self._truncated()
        )

    # Feeding: what the store may have

    def _shelf(self, setting: Setting, shards: ModelShards) -> Shelf:
        identities = {CLEAN: b""}
        for cell, occluder in self._occluders.items():
            identities[cell] = occluder_identity(occluder, cell.level, cell.seed)
            # What it reads of the device is read here and kept: the feed's threads have
            # to leave the device alone.
            self._looked_at(occluder, setting, [])

        def keys(contents: Contents) -> dict[Cell, str]:
            numbers = [number for number, _ in contents]
            images = [
                (setting.dataset.image_ids[number], content)
                for number, content in contents
            ]
            found = {CLEAN: shards.image_key(b"", images)}
            looked_at: dict[str, bytes | None] = {}
            for cell, occluder in self._occluders.items():
                if occluder.name not in looked_at:
                    looked_at[occluder.name] = self._looked_at(
                        occluder, setting, numbers
                    )
                seen = looked_at[occluder.name]
                if seen is not None:
                    found[cell] = shards.image_key(identities[cell] + seen, images)
            return found

        return Shelf(tuple(self._gathered), keys, shards.load_images)

    def _looked_at(
        self, occluder: Occluder, setting: Setting, numbers: Sequence[int]
    ) -> bytes | None:
        """What an occluder's mask follows from beyond ids and pixels; None: what it
        makes is not stored.
        """
        looked_at = getattr(occluder, "looked_at", None)
        if looked_at is None:
            return None
        try:
            found: bytes | None = looked_at(
                setting, numbers, self._pairs.dataset.image_groups[list(numbers)]
            )
        except FOREIGN:
            return None  # where the batch is measured, it is said
        return found

    # Measuring

    def _measure(self, feed: Feed, setting: Setting) -> list[Fed]:
        """Every batch from the store or through one of the lanes; what was seen of the
        images, without their pixels.
        """
        seen: list[Fed] = []
        with ExitStack() as stack:
            behind = stack.enter_context(_behind(self._model))
            threads: list[Executor] = []
            busy: deque[Future[list[Future[None]]]] = deque()
            # Closed here, and not when the error of an interrupted run is forgotten: it
            # has threads.
            for fed in stack.enter_context(closing(iter(feed))):
                seen.append(Fed(fed.part, fed.kept, fed.digests, None))
                for cell, batch in fed.stored.items():
                    self._gathered[cell].batches[fed.part.number] = _Kept.of(
                        batch, self._spill
                    )
                    self._counter.add(cell.level, len(fed.part.images), encoded=False)
                if fed.pixels is None:
                    continue
                if not threads:
                    self._lanes = self._open_lanes(setting)
                    threads = _threads(len(self._lanes))
                    # whoever interrupts a run does not wait for batches that are not
                    # begun
                    for thread in threads:
                        stack.callback(thread.shutdown, cancel_futures=True)
                    stack.callback(self._stop.set)
                place = fed.part.number % len(threads)
                busy.append(
                    threads[place].submit(
                        self._through, self._lanes[place], fed, behind
                    )
                )
                if len(busy) > _IN_FLIGHT * len(threads):
                    _wait(busy.popleft())
            for future in busy:
                _wait(future)
        return seen

    def _open_lanes(self, setting: Setting) -> list[_Lane]:
        models = [self._model, *self._copies()]
        settings = [
            setting,
            *(
                replace(setting, encoder=m, reports=setting.reports.to(m.device))
                for m in models[1:]
            ),
        ]
        return [
            _Lane(one, model, self._occluders)
            for one, model in zip(settings, models, strict=True)
        ]

    def _through(self, lane: _Lane, fed: Fed, behind: Executor) -> list[Future[None]]:
        """Have a batch encoded for the cells that the store does not have; it is kept
        when the futures are done.
        """
        missing = [
            cell
            for cell in self._gathered
            if cell not in fed.stored and self._gathered[cell].error is None
        ]
        parts: dict[Cell, list[_Part]] = {cell: [] for cell in missing}
        kept: list[Future[None]] = []
        done = 0
        try:
            for scene in lane.scenes(fed, self._pairs) if missing else ():
                done += len(scene.ids)
                lane.warm_up(scene)
                bound = lane.bound(scene, missing)
                for cell in list(parts):
                    if self._stop.is_set():
                        return kept
                    try:
                        parts[cell] += self._measure_cell(lane, cell, bound, scene)
                    except FOREIGN as error:
                        self._fail(lane, cell, fed, error)
                        del parts[cell]
                        continue
                    if done == len(fed.images):
                        kept.append(
                            behind.submit(self._keep, lane, cell, parts.pop(cell), fed)
                        )
        except FOREIGN as error:
            for cell in parts:
                self._fail(lane, cell, fed, error)
        return kept

    def _fail(self, lane: _Lane, cell: Cell, fed: Fed, error: BaseException) -> None:
        self._gathered[cell].fail(
            fed.part.number, cell_error(lane.model, self._occluders.get(cell), error)
        )

    def _measure_cell(
        self,
        lane: _Lane,
        cell: Cell,
        bound: Mapping[str, Occluder | RobustError],
        scene: Scene,
    ) -> list[_Part]:
        if cell == CLEAN:
            return lane.encoded(cell, None, scene)
        occluder = bound[self._occluders[cell].name]
        if isinstance(occluder, RobustError):
            raise copy(occluder)
        return lane.encoded(cell, occluder, scene)

    def _keep(self, lane: _Lane, cell: Cell, parts: Sequence[_Part], fed: Fed) -> None:
        """Check a batch of a cell, gather it and store it, while the device works on the next."""
        gathered, count = self._gathered[cell], len(fed.images)
        image_ids = self._pairs.dataset.image_ids
        try:
            visible = math.fsum(part.visible() for part in parts)
            names = [
                f"the image with id hash {id_hash(image_ids[int(i)], self._secret)}"
                for i in fed.images
            ]
            rows: NDArray[np.float32] = (
                checked(joined([part.rows for part in parts]), names, lane.model)
                .cpu()
                .numpy()
            )
        except (
            FOREIGN
        ) as error:  # here the host first waits for what the device was asked to do
            self._fail(lane, cell, fed, error)
            return
        shares = np.concatenate([part.shares for part in parts])
        batch = EncodedBatch(rows, shares, visible, fed.digests[fed.kept])
        gathered.batches[fed.part.number] = _Kept.of(batch, self._spill)
        gathered.encoded += count
        self._counter.add(cell.level, len(fed.part.images), encoded=True)
        # Pieces of another size, which memory may force, may round otherwise than the
        # whole batch that the key means.
        is_whole = lane.limits.images is None and lane.limits.scene is None
        if self._shards is not None and cell in fed.keys and is_whole:
            about = {
                "dataset": self._pairs.dataset.name,
                "occluder": cell.occluder,
                "level": cell.level,
            }
            self._shards.save_images(
                fed.keys[cell], batch, {**about, "seed": cell.seed}
            )

    # Concluding

    def _without_skipped(self, reports: Tensor, seen: Sequence[Fed]) -> Tensor:
        """Leave out the skipped images, and the reports that had no other image; the
        rows of the reports that stay.
        """
        asked, most = self._pairs, getattr(self._pairs.dataset, "most_skipped", 0.0)
        images = np.concatenate([fed.images for fed in seen])
        skipped = len(asked.images) - len(images)
        if not skipped:
            return reports
        if skipped > most * len(asked.images):
            raise DatasetError(
                f"Expected at most {100 * most:g} % broken images in"
                f" {asked.dataset.name}, got skipped={skipped} of {len(asked.images)}."
                " Fix them, or raise most_skipped."
            )
        if len(images) == 0:
            raise DatasetError(
                f"Expected images that can be read in {asked.dataset.name}, got none."
                " Fix its files or its root."
            )
        stay = np.isin(asked.report_groups, asked.dataset.image_groups[images])
        self._pairs = Pairs(asked.dataset, images, asked.reports[stay])
        check_ks(self._pairs, self._ks)
        return reports[torch.from_numpy(stay).to(reports.device)]

    def _conclude(
        self, cell: Cell, gathered: _Gathered, reports: Tensor
    ) -> Measured | RobustError:
        if gathered.error is not None:
            return gathered.error
        try:
            return self._rank(cell, gathered, reports)
        except FOREIGN as error:
            return cell_error(self._model, self._occluders.get(cell), error)
        finally:
            gathered.batches.clear()

    def _rank(self, cell: Cell, gathered: _Gathered, reports: Tensor) -> Measured:
        batches, model, pairs = gathered.in_order, self._model, self._pairs
        images = torch.from_numpy(self._taken([one.rows for one in batches]))
        if cell == CLEAN:
            require_variety(images, "images", model.name)
        image_ranks, report_ranks = ranks_of(model, images, reports, pairs)
        there, back = both_scores(image_ranks, report_ranks, pairs, self._ks)
        hidden, count = cell.level > 0, len(images)
        return Measured(
            achieved_level=(
                math.fsum(self._taken([one.shares for one in batches])) / count
                if hidden
                else 0.0
            ),
            visible_level=(
                sum(one.visible for one in batches) / count if hidden else 0.0
            ),
            image_to_report=there,
            report_to_image=back,
            image_ranks=image_ranks,
            report_ranks=report_ranks,
            timing=self._timing(cell, gathered.encoded, count),
        )

    def _taken(self, parts: Sequence[Waiting]) -> NDArray[Any]:
        """The arrays of all batches as one, without a second copy of all of them."""
        filled = [part for part in parts if part.shape[0]]
        whole = np.empty(
            (sum(part.shape[0] for part in filled), *filled[0].shape[1:]),
            filled[0].dtype,
        )
        start = 0
        for part in filled:
            if part.shape[1:] != whole.shape[1:]:
                raise EmbeddingError(
                    f"Expected embeddings of one width from {self._model.name}, got"
                    f" D={whole.shape[1]} and D={part.shape[1]} in two batches. Give"
                    " each row the same length."
                )
            whole[start : start + part.shape[0]] = self._spill.take(part)
            start += part.shape[0]
        return whole

    def _timing(self, cell: Cell, encoded: int, images: int) -> Timing:
        """Of what this run encoded. Devices work side by side: their speeds add up."""
        seconds = sum(lane.encoding[cell].seconds for lane in self._lanes)
        return Timing(
            images_per_second=encoded / seconds * len(self._lanes) if encoded else None,
            encode_seconds=seconds,
            occlude_seconds=sum(lane.occluding[cell].seconds for lane in self._lanes),
            device=self._model.device,
            precision=self._precision,
            from_store=images - encoded,
        )

    def _describe_dataset(self, seen: Sequence[Fed]) -> Json:
        skipped = sum(int((~fed.kept).sum()) for fed in seen)
        return describe(
            self._pairs, self._ks, pixel_digest=digests_of(seen), skipped=skipped
        )

    def _truncated(self) -> int | None:
        count = getattr(self._model, "truncated", None)
        return None if count is None else int(count(self._pairs.texts))


class _Here(Executor):
    """Runs what it is given at once, in the caller's thread."""

    def submit(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        future: Future[T] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def _threads(lanes: int) -> list[Executor]:
    """One a lane: a model sees one batch at a time. A single one is in the caller's own
    thread, as its user expects.
    """
    return [_Here()] if lanes == 1 else [ThreadPoolExecutor(1) for _ in range(lanes)]


def _wait(batch: Future[list[Future[None]]]) -> None:
    """Until a batch is encoded, checked and kept."""
    for kept in batch.result():
        kept.result()


def _behind(model: DualEncoder) -> Executor:
    """What checks and stores a batch while the device works on the next.

    An Apple GPU is used from one thread alone.
    """
    return _Here() if model.device.startswith("mps") else ThreadPoolExecutor(1)


def cell_error(
    model: DualEncoder, occluder: Occluder | None, error: BaseException
) -> RobustError:
    """The error of a cell, fit to be kept: it holds no memory of the device and quotes nothing."""
    if isinstance(error, RobustError):
        return without_frames(error)
    got = described(error)
    expected, otherwise = (
        f"{model.name} to be measured on {model.device}",
        "Fix the model, or what it is given.",
    )
    if occluder is not None:
        expected, otherwise = (
            f"{occluder.name} to be measured with {model.name} on {model.device}",
            "Fix the occluder.",
        )
    kind = (
        OcclusionError
        if occluder is not None and not isinstance(error, RuntimeError)
        else ModelError
    )
    advice = advice_on(error, model.device, otherwise)
    let_go(error)
    return kind(f"Expected {expected}, got {got}. {advice}")
