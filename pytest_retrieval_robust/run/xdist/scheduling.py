"""Which tests of a run under pytest-xdist go together: those of one model to one
worker, so that it is loaded once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdist.scheduler import LoadScheduling

if TYPE_CHECKING:
    import pytest
    from xdist.remote import Producer
    from xdist.workermanage import WorkerController

    from .notice_board import NoticeBoard

_ENOUGH = 2
"""Tests that keep a worker busy: it runs a test once it knows the next one."""


class ModelScheduling(LoadScheduling):  # type: ignore[misc]  # xdist gives no types
    """xdist's own `load`, but a model's tests go to one worker, all at once.

    No worker is given a further model while it has enough to do. Models come first,
    because they take longest; other tests follow as `load` deals them out. Without a
    test of a model this is `load`.
    """

    def __init__(
        self, config: pytest.Config, log: Producer, board: NoticeBoard
    ) -> None:
        super().__init__(config, log)
        self._board = board
        self._waiting: dict[int, str] = {}
        """The models of the tests that are still to be dealt out, by a test's index in
        the collection; tests without a model are not in it.
        """

    def schedule(self) -> None:
        if self.collection is None:
            models = self._board.models()
            test_ids = next(iter(self.node2collection.values()))
            self._waiting = {
                index: models[test_id]
                for index, test_id in enumerate(test_ids)
                if test_id in models
            }
        models_wait = bool(self._waiting)
        super().schedule()
        # A model with a single test leaves its worker idle: a worker runs a test once it
        # knows the next one.
        for node in self.nodes:
            if models_wait and len(self.node2pending[node]) < _ENOUGH:
                self.check_schedule(node)

    def check_schedule(self, node: WorkerController, duration: float = 0) -> None:
        if not self._waiting:
            super().check_schedule(node, duration)
        # xdist sends one unit a call; small models take several calls to be enough.
        while (
            self._waiting
            and len(self.node2pending[node]) < _ENOUGH
            and not node.shutting_down
        ):
            super().check_schedule(node, duration)

    def remove_node(self, node: WorkerController) -> str | None:
        """Deal out again what a worker that died leaves, but for the test in which it died."""
        pending = self.node2pending[node]
        if pending and self.collection is not None:
            # A worker runs its tests in order: it died in the first that is left.
            died_in, *left = pending
            self._board.post_crash(self.collection[died_in])
            models = self._board.models()
            for index in left:
                test_id = self.collection[index]
                if test_id in models:
                    self._waiting[index] = models[test_id]
        crashed_test: str | None = super().remove_node(node)
        return crashed_test

    def _send_tests(self, node: WorkerController, num: int) -> None:
        """Send the tests of the next model in place of `num` tests, while any model waits."""
        unit = self._next_unit()
        for index in unit:
            del self._waiting[index]
        if unit:
            # xdist sends from the front of `pending`.
            in_unit = set(unit)
            others = [index for index in self.pending if index not in in_unit]
            self.pending[:] = [*unit, *others]
        super()._send_tests(node, len(unit) or num)

    def _next_unit(self) -> list[int]:
        """The indices of all tests of the model that has waited longest."""
        model = next(iter(self._waiting.values()), None)
        return [
            index for index in sorted(self._waiting) if self._waiting[index] == model
        ]
