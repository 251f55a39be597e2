"""What a worker of pytest-xdist tells its controller once its tests are collected."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from ..our_tests import models_by_test
from ..session import RobustSession
from .folder import run_folder
from .processes import notice_board, worker_id
from .progress import WorkerProgress


def tell_controller(
    config: pytest.Config, session: RobustSession, items: Iterable[pytest.Item]
) -> None:
    """Post the model of each test, and let sweeps write down what they have to tell."""
    notice_board(config).post_models(models_by_test(items))
    progress = WorkerProgress(run_folder(config), worker_id(config))
    session.tell = progress.tell
    session.say = progress.say
