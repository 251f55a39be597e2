"""Which tests of a run under pytest-xdist go together: those of one model to one
worker, so that it is loaded once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from xdist.scheduler import LoadScheduling

if TYPE_CHECKING:
    import pytest
    from xdist.remote import Producer
    from xdist.workermanage import WorkerController

    from .placement import Placement

_ENOUGH = 2
"""A worker runs a test once it knows the next one."""


class ModelScheduling(LoadScheduling):  # type: ignore[misc]  # xdist gives no types
    """xdist's own `load`, but a model's tests go to one worker, all at once, and no
    worker is given a further model while it has enough to do.

    Models come first, for they take longest; other tests follow as `load` deals them
    out. Without a test of a model this is `load`.
    """

    def __init__(
        self, config: pytest.Config, log: Producer, placement: Placement
    ) -> None:
        super().__init__(config, log)
        self._placement = placement
        self._model_of: dict[int, str] = {}
        """The model of each test that has one and is still to be dealt out, by its
        place in the collection.
        """

    def schedule(self) -> None:
        if self.collection is None:
            models = self._placement.models()
            ids = next(iter(self.node2collection.values()))
            self._model_of = {
                place: models[test] for place, test in enumerate(ids) if test in models
            }
        models_wait = bool(self._model_of)
        super().schedule()
        for node in self.nodes:
            if models_wait and len(self.node2pending[node]) < _ENOUGH:
                self.check_schedule(node)

    def check_schedule(self, node: WorkerController, duration: float = 0) -> None:
        if not self._model_of:
            super().check_schedule(node, duration)
        while (
            self._model_of
            and len(self.node2pending[node]) < _ENOUGH
            and not node.shutting_down
        ):
            super().check_schedule(node, duration)

    def remove_node(self, node: WorkerController) -> str | None:
        """What a worker that died leaves is dealt out again, but for the test in which it died."""
        pending = self.node2pending[node]
        if pending and self.collection is not None:
            models, (died, *left) = self._placement.models(), pending
            self._placement.tell_crash(self.collection[died])
            self._model_of.update(
                {
                    place: models[test]
                    for place in left
                    if (test := self.collection[place]) in models
                }
            )
        died_in: str | None = super().remove_node(node)
        return died_in

    def _send_tests(self, node: WorkerController, num: int) -> None:
        unit = list(self._next_unit())
        for place in unit:
            del self._model_of[place]
        if unit:
            chosen = set(unit)
            self.pending[:] = [
                *unit,
                *(place for place in self.pending if place not in chosen),
            ]
        super()._send_tests(node, len(unit) or num)

    def _next_unit(self) -> Iterable[int]:
        model = next(iter(self._model_of.values()), None)
        return (
            place for place in sorted(self._model_of) if self._model_of[place] == model
        )
