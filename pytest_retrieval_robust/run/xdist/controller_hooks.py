"""The hooks of pytest-xdist in the controller of its workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ...core.errors import RobustError
from .processes import notice_board
from .slots import Slots

if TYPE_CHECKING:
    from ..controller import Controller


class XdistHooks:
    """Starts workers, shows what they do, and notes which of them die."""

    def __init__(self, config: pytest.Config, controller: Controller) -> None:
        self._config = config
        self._controller = controller
        self._slots = Slots()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker where the controller will look for its ranks, and its slot."""
        from ...core.sample_sheets import expect_sheets
        from .folder import run_folder, shared_folder

        try:
            expect_sheets(run_folder(self._config))
            node.workerinput["retrieval_robust_store"] = shared_folder(self._config)
            self._slots.give(node)
        except RobustError as error:
            raise pytest.UsageError(str(error)) from None

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self) -> None:
        """Raise the usage error of a worker here; else show the progress of its sweeps."""
        board = notice_board(self._config)
        usage_error = board.usage_error()
        if usage_error is not None:
            raise pytest.UsageError(usage_error)
        if board.models():
            self._controller.show_progress_of_workers()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A worker that is gone measures nothing any more, and leaves its devices."""
        from .folder import run_folder
        from .progress import forget_worker

        self._slots.take_back(node)
        if self._controller.shows_progress:
            forget_worker(run_folder(self._config), node.gateway.id)

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str) -> None:
        """Note the test in which a worker died: xdist's own report of it carries nothing of ours.

        Other schedulers may run that test again, and again.
        """
        board = notice_board(self._config)
        model = board.models().get(crashitem)
        if model is not None:
            board.post_crash(crashitem)
            self._controller.note_crash(crashitem, model)
