"""One copy of the model on its device: hides, encodes, and measures the time that takes."""

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

from ...core.calling import image_rows
from ...core.cases import CLEAN, Cell
from ...core.downloads import Download
from ...core.encoding import encode, unit_scale
from ...core.errors import RobustError
from ...core.memory import in_pieces, limits_of
from ...occluders.scene import Scene, Setting
from ..timing.clock import Laps
from .cell_errors import cell_errors
from .encoded import EncodedPart, hidden_pixels

if TYPE_CHECKING:
    from ...models import DualEncoder
    from ...occluders import Occluder
    from .batch import Batch
    from .plan import SweepPlan
    from .writer import Writer

WARM_UP_IMAGES = 4


class Lane:
    """One copy of the model. It sees one batch at a time."""

    def __init__(self, plan: SweepPlan, setting: Setting, model: DualEncoder) -> None:
        self._plan = plan
        self._setting = setting
        self.model = model
        self.limits = limits_of(model)
        # Seconds per cell, of which the sums are reported.
        self.encoding = {cell: Laps(model.device) for cell in plan.cells}
        self.occluding = {cell: Laps(model.device) for cell in plan.cells}
        self._buffer: Tensor | None = None
        self._is_warm = False

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
            for scene in self._scenes(batch):
                encoded += len(scene.ids)
                self._warm_up(scene)
                bound = self._bound_occluders(scene, missing)
                for cell in self._plan.by_fill(parts):
                    if stop.is_set():
                        return writing
                    occluder = self._plan.occluders.get(cell)
                    report = partial(give_up, [cell])
                    with cell_errors(self.model, occluder, report):
                        parts[cell] += self._encode_cell(cell, bound, scene)
                    is_last_scene = encoded == len(batch.images)
                    if cell in parts and is_last_scene:
                        # Handed over without a name here, which would keep its memory.
                        writing.append(
                            writer.submit(self, cell, parts.pop(cell), batch)
                        )
        return writing

    def _scenes(self, batch: Batch) -> Iterator[Scene]:
        """The batch on the device: one scene, or several in turn where memory is short."""
        pixels = batch.pixels
        assert pixels is not None
        numbers = batch.images
        dataset = self._plan.pairs.dataset

        def scene(part: slice) -> Scene:
            return Scene(
                setting=self._setting,
                numbers=[int(number) for number in numbers[part]],
                ids=[dataset.image_ids[int(number)] for number in numbers[part]],
                pixels=unit_scale(pixels.stacked[part], self.model.device),
                frames=pixels.frames[part],
                groups=dataset.image_groups[numbers[part]],
                drawn_ahead=batch.drawn_ahead,
            )

        return in_pieces(len(numbers), self.limits, "scene", scene, self.model.device)

    def _warm_up(self, scene: Scene) -> None:
        """Keep lazy set-up out of the timing."""
        if not self._is_warm:
            # What fails here fails again where it is measured, and is reported there.
            with suppress(RobustError):
                encode(self.model, scene.pixels[:WARM_UP_IMAGES])
        self._is_warm = True

    def _bound_occluders(
        self, scene: Scene, cells: Sequence[Cell]
    ) -> dict[str, Occluder | RobustError]:
        """The occluders by name, bound to the scene once for all levels and seeds.

        Binding may search with the model, so it is not repeated per cell.
        """
        bound: dict[str, Occluder | RobustError] = {}
        for cell in cells:
            occluder = self._plan.occluders.get(cell)
            if occluder is None or occluder.name in bound:
                continue
            report = partial(bound.__setitem__, occluder.name)
            with cell_errors(self.model, occluder, report):
                bound[occluder.name] = occluder.bind(scene)
        return bound

    def _encode_cell(
        self, cell: Cell, bound: Mapping[str, Occluder | RobustError], scene: Scene
    ) -> list[EncodedPart]:
        """The rows of a scene in one cell, in parts that memory holds."""
        encode_part = partial(self._encode_clean, scene)
        if cell != CLEAN:
            occluder = bound[self._plan.occluders[cell].name]
            if isinstance(occluder, RobustError):
                # Each cell of the occluder raises it: a raised error collects frames.
                raise copy(occluder)
            encode_part = partial(self._encode_hidden, scene, cell, occluder)
        pieces = in_pieces(
            len(scene.ids), self.limits, "images", encode_part, self.model.device
        )
        return list(pieces)

    def _encode_clean(self, scene: Scene, part: slice) -> EncodedPart:
        rows = self._rows(CLEAN, scene.pixels[part])
        return self._part([rows], np.zeros(len(rows)), scene, part)

    def _encode_hidden(
        self, scene: Scene, cell: Cell, occluder: Occluder, part: slice
    ) -> EncodedPart:
        frames = scene.frames[part]
        pixels = scene.pixels[part]
        ids = scene.ids[part]
        size = (pixels.shape[-2], pixels.shape[-1])
        # Hidden pixels and shares are for the record. Neither counts as time of hiding.
        counts = hidden_pixels(occluder, ids, cell, size, frames, self.model.device)
        shares = np.array(occluder.shares(ids, cell.level, cell.seed), dtype=np.float64)
        with self.occluding[cell].running():
            hidden = occluder.occlude(
                pixels,
                ids,
                cell.level,
                cell.seed,
                frames,
                out=self._buffer_like(pixels),
            )
        rows = self._rows(cell, hidden)
        return self._part([rows, counts], shares, scene, part)

    def _part(
        self,
        on_device: Sequence[Tensor],
        shares: NDArray[np.float64],
        scene: Scene,
        part: slice,
    ) -> EncodedPart:
        """A part whose copy to the host begins here: nothing waits for it but its writer."""
        height, width = scene.pixels.shape[-2:]
        download = Download.of(on_device, self.model.device)
        return EncodedPart(shares, scene.frames[part], (height, width), download)

    def _rows(self, cell: Cell, pixels: Tensor) -> Tensor:
        with self.encoding[cell].running():
            return image_rows(self.model, pixels)

    def _buffer_like(self, pixels: Tensor) -> Tensor:
        """Memory that every cell writes to again: cheaper than fresh memory."""
        buffer = self._buffer
        if (
            buffer is None
            or buffer.shape != pixels.shape
            or buffer.dtype != pixels.dtype
        ):
            # The old buffer is freed first, so that there are never two.
            buffer = self._buffer = None
            buffer = self._buffer = torch.empty_like(pixels)
        return buffer
