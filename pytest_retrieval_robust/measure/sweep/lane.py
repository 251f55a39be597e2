"""One copy of the model on its device: hides or corrupts, encodes, and measures the time
that takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from copy import copy
from functools import partial
from threading import Event
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...core.cases import CLEAN, Cell
from ...core.downloads import Download
from ...core.encoding import unit_scale
from ...core.errors import ModelError, RobustError
from ...core.memory import OutOfMemory, in_pieces, is_out_of_memory, limits_of
from ...core.uploads import upload
from ...occluders._compiled import is_compiled_for
from ...occluders.scene import Scene, Setting
from ..timing.clock import Laps
from ..timing.hardware import hardware_name
from .altered import altered_images
from .cell_errors import cell_errors
from .changes import is_corruption, require_finite
from .encoded import EncodedPart, hidden_pixels
from .inputs import Buffer, SceneOnDevice, inputs_of

if TYPE_CHECKING:
    from ...corruptions import Corruption
    from ...models import DualEncoder
    from ...occluders import Occluder
    from .batch import Batch
    from .changes import ImageChange
    from .inputs import Inputs
    from .plan import SweepPlan
    from .writer import Writer

WARM_UP_IMAGES = 4
_Bound = Mapping[tuple[str, str], "ImageChange | RobustError"]
"""What is bound to a scene, or why it could not be, by family and name."""


class Lane:
    """One copy of the model. It sees one batch at a time."""

    def __init__(
        self,
        plan: SweepPlan,
        setting: Setting,
        model: DualEncoder,
        *,
        is_warm: bool = False,
    ) -> None:
        """`is_warm` says that this process has encoded with the model before."""
        self._plan = plan
        self._setting = setting
        self.model = model
        self.limits = limits_of(model)
        self.hardware = hardware_name(model.device)
        # Seconds per cell, of which the sums are reported.
        self.encoding = {cell: Laps(model.device) for cell in plan.cells}
        self.occluding = {cell: Laps(model.device) for cell in plan.cells}
        self._buffer: Tensor | None = None
        self._is_warm = is_warm

    def encode_batch(
        self, batch: Batch, writer: Writer, stop: Event
    ) -> list[Future[None]]:
        """Encode a batch for the cells that the store does not have.

        The batch is kept once the futures are done. A cell that fails is reported to
        the writer, and the others go on.
        """
        missing = writer.missing_cells(batch)
        if not missing:
            return []
        parts: dict[Cell, list[EncodedPart]] = {cell: [] for cell in missing}
        writing: list[Future[None]] = []
        encoded = 0

        def give_up(cells: Sequence[Cell], error: RobustError) -> None:
            for cell in cells:
                writer.fail(cell, batch, error)
                del parts[cell]

        # What fails outside of a cell, such as copying pixels to the device, ends all
        # cells that are under way.
        with cell_errors(self.model, None, lambda error: give_up(list(parts), error)):
            for shown in self._scenes(batch):
                encoded += len(shown.scene.ids)
                bound = self._bound_changes(shown.scene, missing)
                self._warm_up(shown, bound, missing)
                for cell in self._plan.by_fill(parts):
                    if stop.is_set():
                        return writing
                    change = self._plan.changes.get(cell)
                    report = partial(give_up, [cell])
                    writer.begin_cell(cell)
                    with cell_errors(self.model, change, report):
                        parts[cell] += self._encode_cell(cell, bound, shown)
                    is_last_scene = encoded == len(batch.images)
                    if cell in parts and is_last_scene:
                        # Handed over without a name here, which would keep its memory.
                        writing.append(
                            writer.submit(self, cell, parts.pop(cell), batch)
                        )
                # Freed before the next scene is made, which may need the memory.
                del shown, bound
        return writing

    def _scenes(self, batch: Batch) -> Iterator[SceneOnDevice]:
        """The batch on the device: one scene, or several in turn where memory is short."""
        show = partial(self._shown, batch)
        count = len(batch.images)
        return in_pieces(count, self.limits, "scene", show, self.model.device)

    def _shown(self, batch: Batch, part: slice) -> SceneOnDevice:
        """Some of a batch on the device."""
        pixels = batch.pixels
        assert pixels is not None
        numbers = batch.images[part]
        columns = self._plan.pairs.columns
        uploaded = upload(pixels.stacked[part], self.model.device)
        scene = Scene(
            setting=self._setting,
            numbers=[int(number) for number in numbers],
            ids=[columns.image_ids[int(number)] for number in numbers],
            pixels=unit_scale(uploaded, self.model.device),
            frames=pixels.frames[part],
            groups=columns.image_groups[numbers],
            drawn_ahead=batch.drawn_ahead,
        )
        has_bytes = uploaded.dtype == torch.uint8
        return SceneOnDevice(scene, uploaded if has_bytes else None)

    def require_finite_pixels(self, cell: Cell, batch: Batch) -> None:
        """Raise `CorruptionError` where the corruption of a cell, if it has one, gives
        what is no number for an image of a batch.
        """
        change = self._plan.changes.get(cell)
        if change is None or not is_corruption(change):
            return
        # Made again: the pixels of a batch are gone when its rows are seen. One by one,
        # beside a batch that may fill the memory.
        for place in range(len(batch.images)):
            shown = self._shown(batch, slice(place, place + 1))
            inputs = inputs_of(self.model, shown, change.bind(shown.scene))
            changed = inputs.changed(cell, slice(0, 1), _fresh(self.model.device))
            require_finite(changed, change)

    def _warm_up(
        self,
        shown: SceneOnDevice,
        bound: _Bound,
        cells: Sequence[Cell],
    ) -> None:
        """Keep lazy set-up out of the timing."""
        if self._is_warm:
            return
        self._is_warm = True
        # What fails here fails again where it is measured, and is reported there. Memory
        # that runs out here is remembered.
        few = min(WARM_UP_IMAGES, len(shown.scene.ids))
        with suppress(RobustError):
            clean = inputs_of(self.model, shown, None)
            for _ in in_pieces(
                few,
                self.limits,
                "images",
                lambda part: clean.rows(clean.clean(part)),
                self.model.device,
            ):
                pass
        # Passes that hide are compiled when they are first used.
        if not is_compiled_for(shown.scene.pixels):
            return
        for cell in cells:
            change = bound.get(_key(cell))
            if cell == CLEAN or change is None or isinstance(change, RobustError):
                continue
            with cell_errors(self.model, change, _nothing):
                inputs = inputs_of(self.model, shown, change)
                inputs.changed(cell, slice(0, few), _fresh(self.model.device))

    def _bound_changes(
        self, scene: Scene, cells: Sequence[Cell]
    ) -> dict[tuple[str, str], ImageChange | RobustError]:
        """Occluders and corruptions, bound to the scene once for all levels and seeds.

        Binding may search with the model, so it is not repeated per cell.
        """
        bound: dict[tuple[str, str], ImageChange | RobustError] = {}
        for cell in cells:
            change = self._plan.changes.get(cell)
            key = _key(cell)
            if change is None or key in bound:
                continue
            with cell_errors(self.model, change, partial(bound.__setitem__, key)):
                bound[key] = change.bind(scene)
        return bound

    def _encode_cell(
        self,
        cell: Cell,
        bound: _Bound,
        shown: SceneOnDevice,
    ) -> list[EncodedPart]:
        """The rows of a scene in one cell, in parts that memory holds."""
        scene = shown.scene
        encode_part = partial(self._encode_clean, shown)
        if cell != CLEAN:
            change = bound[_key(cell)]
            if isinstance(change, RobustError):
                # Each cell of the occluder raises it: a raised error collects frames.
                raise copy(change)
            if is_corruption(change):
                encode_part = partial(self._encode_corrupted, shown, cell, change)
            else:
                encode_part = partial(self._encode_hidden, shown, cell, change)

        def encode_or_free(part: slice) -> EncodedPart:
            try:
                return encode_part(part)
            except Exception as error:
                if is_out_of_memory(error):
                    # They can be made again, of fewer images.
                    scene.kept_fills.clear()
                raise

        pieces = in_pieces(
            len(scene.ids), self.limits, "images", encode_or_free, self.model.device
        )
        return list(pieces)

    def _encode_clean(self, shown: SceneOnDevice, part: slice) -> EncodedPart:
        inputs = inputs_of(self.model, shown, None)
        with self.encoding[CLEAN].running():
            rows = inputs.rows(inputs.clean(part))
        return self._part([rows], np.zeros(len(rows)), shown.scene, part)

    def _encode_hidden(
        self, shown: SceneOnDevice, cell: Cell, occluder: Occluder, part: slice
    ) -> EncodedPart:
        scene = shown.scene
        frames = scene.frames[part]
        ids = scene.ids[part]
        size = (scene.pixels.shape[-2], scene.pixels.shape[-1])
        # Hidden pixels and shares are for the record. Neither counts as time of hiding.
        counts = hidden_pixels(occluder, ids, cell, size, frames, self.model.device)
        shares = np.array(occluder.shares(ids, cell.level, cell.seed), dtype=np.float64)
        inputs, changed = self._changed(shown, cell, occluder, part)
        rows = self._changed_rows(cell, occluder, inputs, changed)
        return self._part([rows, counts], shares, scene, part)

    def _encode_corrupted(
        self, shown: SceneOnDevice, cell: Cell, corruption: Corruption, part: slice
    ) -> EncodedPart:
        inputs, changed = self._changed(shown, cell, corruption, part)
        # For the record, and before an encoder may write to them: no time counts.
        altered = altered_images(shown, part, changed)
        rows = self._changed_rows(cell, corruption, inputs, changed)
        severities = np.full(len(rows), cell.level)
        return self._part(
            [rows, altered], severities, shown.scene, part, severity=cell.level
        )

    def _changed(
        self, shown: SceneOnDevice, cell: Cell, change: ImageChange, part: slice
    ) -> tuple[Inputs, Tensor]:
        inputs = inputs_of(self.model, shown, change)
        with self.occluding[cell].running():
            return inputs, inputs.changed(cell, part, self._memory_for)

    def _changed_rows(
        self, cell: Cell, change: ImageChange, inputs: Inputs, changed: Tensor
    ) -> Tensor:
        try:
            with self.encoding[cell].running():
                return inputs.rows(changed)
        except ModelError as error:
            # What an encoder refuses may be no fault of its own.
            if is_corruption(change) and not isinstance(error, OutOfMemory):
                require_finite(changed, change)
            raise

    def _part(
        self,
        on_device: Sequence[Tensor],
        shares: NDArray[np.float64],
        scene: Scene,
        part: slice,
        severity: float | None = None,
    ) -> EncodedPart:
        """A part whose copy to the host begins here: nothing waits for it but its writer."""
        height, width = scene.pixels.shape[-2:]
        download = Download.of(on_device, self.model.device)
        return EncodedPart(
            shares, scene.frames[part], (height, width), download, severity
        )

    def _memory_for(self, shape: torch.Size, dtype: torch.dtype) -> Tensor:
        """Memory that every cell writes to again: cheaper than fresh memory."""
        buffer = self._buffer
        if buffer is None or buffer.shape != shape or buffer.dtype != dtype:
            # The old buffer is freed first, so that there are never two.
            buffer = self._buffer = None
            buffer = torch.empty(shape, dtype=dtype, device=self.model.device)
            self._buffer = buffer
        return buffer


def _key(cell: Cell) -> tuple[str, str]:
    """What the levels and seeds of an occluder or corruption have in common."""
    return cell.family, cell.occluder


def _fresh(device: str) -> Buffer:
    """Memory of its own for each call."""
    return lambda shape, dtype: torch.empty(shape, dtype=dtype, device=device)


def _nothing(_: RobustError) -> None:
    """The same error is reported where the cell is measured."""
