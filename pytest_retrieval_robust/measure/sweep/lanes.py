"""Shares batches out among the copies of a model."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from math import fsum
from threading import Event
from types import TracebackType
from typing import TYPE_CHECKING

from ...core.device import use_device
from ...core.outcomes import Timing
from ..timing.hardware import hardware_name
from .lane import Lane
from .threads import InlineExecutor

if TYPE_CHECKING:
    from ...core.cases import Cell
    from ...models import DualEncoder
    from ...occluders.scene import Setting
    from .batch import Batch
    from .plan import SweepPlan
    from .writer import Writer

IN_FLIGHT = 2
"""Batches per lane that may be under way: the device has the next one before it is done
with the last.
"""


@dataclass(frozen=True, repr=False)
class _Encoding:
    """A batch under way."""

    batch: Batch
    """Without its data."""
    future: Future[list[Future[None]]]

    def wait(self) -> None:
        """Until the batch is encoded, checked and kept."""
        for writing in self.future.result():
            writing.result()


class Lanes:
    """The copies of a model, made when the first batch has to be encoded."""

    def __init__(
        self,
        plan: SweepPlan,
        setting: Setting,
        copies: Callable[[], Sequence[DualEncoder]],
        writer: Writer,
        finished: Callable[[Batch], None],
        *,
        are_warm: bool = False,
    ) -> None:
        """`finished` is told of each batch that is encoded and kept, in their order.

        `are_warm` says that earlier lanes of the same models have encoded.
        """
        self._plan = plan
        self._setting = setting
        self._copies = copies
        self._writer = writer
        self._finished = finished
        self._are_warm = are_warm
        self._stop = Event()
        self._lanes: list[Lane] = []
        self._executors: list[Executor] = []
        self._under_way: deque[_Encoding] = deque()

    def __enter__(self) -> Lanes:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop. An interrupted sweep does not wait for batches that are not begun."""
        self._stop.set()
        for executor in self._executors:
            executor.shutdown(cancel_futures=True)

    def encode(self, batch: Batch) -> None:
        """Have a batch encoded; waits for an earlier one if too many are under way."""
        if not self._lanes:
            self._open()
        # By its number: which copy encodes a batch does not depend on their speed.
        number = batch.number % len(self._lanes)
        encoding = self._executors[number].submit(
            self._lanes[number].encode_batch, batch, self._writer, self._stop
        )
        self._under_way.append(_Encoding(batch.without_data(), encoding))
        # The feed reads no further while the lanes are behind, so that pixels do not pile
        # up in memory.
        if len(self._under_way) > IN_FLIGHT * len(self._lanes):
            self._wait_for(self._under_way.popleft())

    def finish(self) -> None:
        """Wait until every batch is encoded and kept."""
        while self._under_way:
            self._wait_for(self._under_way.popleft())

    @property
    def have_encoded(self) -> bool:
        """Whether any batch had to be encoded."""
        return bool(self._lanes)

    def timing(self, cell: Cell, encoded: int, images: int) -> Timing:
        """The time of a cell of which this run encoded `encoded` of `images` images."""
        # Without lanes, since all came from the store, it is 0.0 all the same.
        encode_seconds = fsum(lane.encoding[cell].seconds for lane in self._lanes)
        occlude_seconds = fsum(lane.occluding[cell].seconds for lane in self._lanes)
        speed = None
        if encoded:
            # Devices work side by side, so their speeds add up.
            speed = encoded / encode_seconds * len(self._lanes)
        device = self._plan.model.device
        return Timing(
            images_per_second=speed,
            encode_seconds=encode_seconds,
            occlude_seconds=occlude_seconds,
            device=device,
            precision=self._plan.precision,
            from_store=images - encoded,
            # Copies are on devices of the same kind.
            hardware="" if device == "cpu" else hardware_name(device),
        )

    def _wait_for(self, encoding: _Encoding) -> None:
        encoding.wait()
        self._finished(encoding.batch)

    def _open(self) -> None:
        # Copies are loaded here and not before: where all is stored none is needed.
        model = self._plan.model
        lanes = [Lane(self._plan, self._setting, model, is_warm=self._are_warm)]
        for model in self._copies():
            reports = self._setting.reports.to(model.device)
            setting = replace(self._setting, encoder=model, reports=reports)
            lanes.append(Lane(self._plan, setting, model, is_warm=self._are_warm))
        self._lanes = lanes
        # A single model is called in the caller's own thread, as its user expects. One
        # of several has a thread of its own, so that it sees one batch at a time.
        if len(lanes) == 1:
            self._executors = [InlineExecutor()]
        else:
            self._executors = [_thread_for(lane.model.device) for lane in lanes]


def _thread_for(device: str) -> Executor:
    """A thread in which `cuda` without a number is the device of its lane."""
    return ThreadPoolExecutor(1, initializer=use_device, initargs=(device,))
