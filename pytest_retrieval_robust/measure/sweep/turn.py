"""The order in which batches that are read at once hand their images to the decoders."""

from __future__ import annotations

from threading import Event
from types import TracebackType


class Turn:
    """The turn of a batch: it comes once the batch before has handed over its images.

    So the first batch is whole first, although threads read several.
    """

    def __init__(self, came: Event | None = None) -> None:
        self._came = came
        self._passed_on = Event()

    @property
    def next(self) -> Turn:
        """The turn of the batch after this one."""
        return Turn(self._passed_on)

    def wait(self) -> None:
        if self._came is not None:
            self._came.wait()

    def pass_on(self) -> None:
        """Let the next batch hand over its images."""
        self._passed_on.set()

    def __enter__(self) -> Turn:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Pass it on, also for a batch that needed none of its own or that failed."""
        self.pass_on()
