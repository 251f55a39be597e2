"""Which process of a run this is: a worker of pytest-xdist, their controller, or neither."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .notice_board import NoticeBoard


def is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def worker_id(config: pytest.Config) -> str:
    """The name of a worker, such as `gw0`."""
    name: str = config.workerinput["workerid"]  # type: ignore[attr-defined]  # pytest-xdist's
    return name


def has_workers(config: pytest.Config) -> bool:
    """Whether this process is the controller of workers, which collect and run the tests."""
    return config.pluginmanager.hasplugin("dsession")


def notice_board(config: pytest.Config) -> NoticeBoard:
    """The board of this run, for workers and controller alike."""
    from .folder import run_folder
    from .notice_board import NoticeBoard

    return NoticeBoard(run_folder(config))
