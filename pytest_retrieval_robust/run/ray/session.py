"""Which crew a run has, and how its sweeps get to it."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from ...core.device import SLOT_VARIABLE
from ...core.encoding import batch_size as usual_batch_size
from ...core.errors import RobustError
from .cluster import Cluster
from .crew import Crew
from .engine import RaySweep
from .layout import layout_for
from .messages import Launch

if TYPE_CHECKING:
    from ...measure.embeddings.store import EmbeddingStore
    from ...measure.sweep.plan import SweepPlan
    from ...measure.sweep.run import SweepOptions
    from ...models import DualEncoder
    from ..session.state import Invocation
    from ..settings import Settings

_PASSED_ON = ("RETRIEVAL_ROBUST_", "HF_", "TRANSFORMERS_")
_NOT_PASSED_ON = (SLOT_VARIABLE, "TOKEN")


class RayEngines:
    """The actors of a run, begun with its first sweep."""

    def __init__(self, settings: Settings, invocation: Invocation) -> None:
        self.notes: dict[str, None] = {}
        """Sentences for the summary, each once."""
        cluster = Cluster(settings.ray_address)
        self._crew: Crew | None = None
        try:
            layout = layout_for(cluster.nodes(), settings.device, settings.ray_actors)
            launch = launch_of(invocation, layout.gpus, layout.cores)
            self._crew = Crew(cluster, layout, launch, self._note)
        finally:
            if self._crew is None:
                cluster.close()
        self._sweeps = 0
        self._kinds = settings.device_kinds

    def options(
        self, options: SweepOptions, model: DualEncoder, settings: Settings
    ) -> SweepOptions:
        """The options of a sweep whose batches the actors encode."""
        device = "cuda" if self._open_crew.layout.gpus else model.device
        batch_size = settings.batch_size or usual_batch_size(device)
        return replace(options, engine=self._sweep, batch_size=batch_size)

    def close(self) -> None:
        """End the actors, and the cluster if it was started for them."""
        if self._crew is not None:
            self._crew.close()
            self._crew = None

    @property
    def _open_crew(self) -> Crew:
        if self._crew is None:
            raise RobustError("Expected actors of Ray, but they were ended already.")
        return self._crew

    def _sweep(self, plan: SweepPlan, store: EmbeddingStore | None) -> RaySweep:
        self._sweeps += 1
        return RaySweep(self._open_crew, plan, store, self._sweeps, self._kinds)

    def _note(self, sentence: str) -> None:
        self.notes[sentence] = None


def launch_of(invocation: Invocation, gpus: int, cores: int) -> Launch:
    """What an actor needs to be where this process is."""
    return Launch(
        arguments=invocation.arguments,
        folder=str(invocation.folder),
        environment=_environment(),
        module_folders=tuple(sys.path),
        threads=None if gpus else cores,
    )


def _environment() -> dict[str, str]:
    """What bears on a suite, without what is one process's own, and without secrets."""
    return {
        name: value
        for name, value in os.environ.items()
        if (name == "PYTEST_ADDOPTS" or name.startswith(_PASSED_ON))
        and not any(part in name for part in _NOT_PASSED_ON)
    }
