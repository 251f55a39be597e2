"""Whether the embeddings of a run fit into the store's limit, said before it has begun."""

from __future__ import annotations

from ...core.words import shown_size
from .loading import Loader
from .planning import PlannedCells
from .state import RunState


class StoreSize:
    """Compares what a run needs of the store with its limit, at its first sweep."""

    def __init__(self, state: RunState, loader: Loader, planned: PlannedCells) -> None:
        self._state = state
        self._loader = loader
        self._planned = planned
        self._is_told = False

    def tell(self, model: str, dataset: str, nbytes: int) -> None:
        """Called with what the sweep of a model and data set needs, before it encodes
        images.
        """
        if self._is_told:
            return
        self._is_told = True
        needed = nbytes * self._sweeps_like(model, dataset)
        limit = self._state.settings.cache_limit
        if needed <= limit:
            return
        note = (
            "Expected a store for all embeddings of this run, about"
            f" {shown_size(round(needed))}, got --robust-cache-limit={shown_size(limit)}:"
            " what does not fit is not kept, and the next run encodes it again. Raise"
            " that limit to keep all of it."
        )
        # In the summary too: what is shown now has left the screen by then.
        self._loader.notes.append(note)
        if self._state.say is not None:
            self._state.say(note)

    def _sweeps_like(self, model: str, dataset: str) -> float:
        """How many times the cells of this sweep the whole run has.

        The other models and data sets are not loaded yet: each is taken to be as large
        as this one.
        """
        cells = [
            self._image_cells(other, name)
            for name in self._planned.datasets
            for other in self._planned.models_on(name)
        ]
        own = self._image_cells(model, dataset)
        return max(own, sum(cells)) / own

    def _image_cells(self, model: str, dataset: str) -> int:
        """The cells for which images are encoded: they take nearly all of the room."""
        cells = self._planned.hidden_cells(model, dataset)
        return 1 + sum(cell.family != "text-noise" for cell in cells)
