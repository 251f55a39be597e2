"""The actor: a process of Ray that collects the suite by itself, and encodes batches of it.

Nothing leaves it as an exception: Ray would print it with the values that it holds.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.errors import RobustError
from .errors_of import sent_error
from .messages import Deal, Launch, Ready, Refusal, Reply, Spent, SweepOrder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ...core.cases import Cell
    from ..session import RobustSession
    from .actor_sweep import ActorSweep


class EncodingActor:
    """Encodes the batches that the controller deals to it."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._session: RobustSession | None = None
        self._sweep: ActorSweep | None = None
        # Before any library reads it.
        os.environ.update(launch.environment)

    def hello(self) -> str:
        """The name of the machine, once the actor runs."""
        return socket.gethostname()

    def prepare(self, order: SweepOrder) -> Ready | Refusal:
        """Collect the suite, unless that is done, and load what a sweep needs."""
        try:
            self._end_sweep()
            self._sweep = self._begun(order)
        except BaseException as error:
            expected = f"{order.model} on {order.dataset} to be loaded"
            return Refusal(sent_error(error, expected))
        return Ready(self._sweep.sameness, self._sweep.sees_store)

    def open_reports(self, cell: Cell) -> None:
        """Take batches of reports from now on, as a cell has them."""
        self._current.open_reports(cell)

    def open_images(self, reports: NDArray[np.float32] | None) -> None:
        """Take batches of images; `reports` is (G, D), or None if nothing looks at it."""
        import numpy as np
        import torch

        rows = np.zeros((0, 1), dtype=np.float32) if reports is None else reports
        # What comes from Ray is memory that must not be written.
        self._current.open_images(torch.from_numpy(np.array(rows)))

    def exchange(self, deal: Deal, seconds: float) -> list[Reply]:
        """See `ActorSweep.exchange`."""
        return self._current.exchange(deal, seconds)

    def spent(self) -> Spent:
        return self._current.spent()

    @property
    def _current(self) -> ActorSweep:
        assert self._sweep is not None, "a sweep is prepared first"
        return self._sweep

    def _end_sweep(self) -> None:
        if self._sweep is not None:
            self._sweep.close()
            self._sweep = None

    def _begun(self, order: SweepOrder) -> ActorSweep:
        from ..session.sweep_inputs import sweep_inputs
        from .actor_sweep import ActorSweep

        session = self._collected()
        inputs = sweep_inputs(
            session, session.loader, order.model, order.dataset, order.cells
        )
        # Batches are those of the controller, whose device may be of another kind.
        options = replace(inputs.options, batch_size=order.batch_size)
        plan = replace(inputs, options=options).plan()
        store = session.embeddings if order.keeps else None
        return ActorSweep(plan, store, order.token)

    def _collected(self) -> RobustSession:
        """The suite's session; collected once."""
        if self._session is None:
            from ..collected_suite import CollectionError, collect_suite

            launch = self._launch
            _go_to(launch)
            arguments = (*launch.arguments, *_own_options())
            try:
                self._session = collect_suite(arguments).session
            except CollectionError as error:
                status = error.status
            if self._session is None:
                # What pytest says may be long: whoever looks there sees it.
                raise RobustError(
                    f"Expected the suite to be collected on {socket.gethostname()} as"
                    f" here, got exit status {status}. Run `pytest --collect-only`"
                    " there."
                )
        return self._session


def _own_options() -> tuple[str, str]:
    """For what the controller alone does: dealing batches, and saving results.

    The folder is never made, because no test runs here.
    """
    folder = Path(tempfile.gettempdir(), f"retrieval-robust-{os.getpid()}", "results")
    return "--robust-engine=local", f"--robust-results={folder}"


def _go_to(launch: Launch) -> None:
    """Be where the controller is, so that it is the same suite."""
    import torch

    if not os.path.isdir(launch.folder):
        raise RobustError(
            f"Expected the folder of the suite on {socket.gethostname()} too, got none."
            " Put the suite where every node of the cluster sees it, under the same"
            " path."
        )
    os.chdir(launch.folder)
    known = set(sys.path)
    sys.path += [folder for folder in launch.module_folders if folder not in known]
    if launch.threads is not None:
        torch.set_num_threads(launch.threads)
