"""Prepared images that several models of a run share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...core.device import own_slot
from ...core.errors import RobustError
from .loading import Loader
from .planning import PlannedCells
from .state import RunState

if TYPE_CHECKING:
    from collections.abc import Container

    from ...measure.sweep.kept_pictures import KeptPictures


class SharedPictures:
    """Keeps prepared images of a data set as long as a further model is to be measured on it."""

    def __init__(self, state: RunState, loader: Loader, planned: PlannedCells) -> None:
        self._state = state
        self._loader = loader
        self._planned = planned
        self._by_dataset: dict[str, KeptPictures] = {}

    def for_sweep(
        self, model: str, dataset: str, swept: Container[tuple[str, str]]
    ) -> KeptPictures | None:
        """What a sweep takes prepared images from, and gives them to.

        None if it is the only one on its data set, as far as is known. `swept` are the
        pairs of model and data set that were measured before.
        """
        # A worker does not know which models are its own. With few, another is unlikely.
        workers = own_slot().count
        if workers > 1 and len(self._planned.models_on(dataset)) < 2 * workers:
            return None
        has_further = self._has_further(model, dataset, swept)
        if dataset not in self._by_dataset and has_further:
            self._by_dataset[dataset] = self._opened(dataset)
        kept = self._by_dataset.get(dataset)
        if kept is not None:
            # The last model takes what is there, and nobody needs what is not.
            kept.takes_more = has_further
        return kept

    def release(
        self, model: str, dataset: str, swept: Container[tuple[str, str]]
    ) -> None:
        """Let images go that no further model is measured on, once a sweep has ended."""
        if dataset in self._by_dataset and not self._has_further(model, dataset, swept):
            self._by_dataset.pop(dataset).close()

    def _opened(self, dataset: str) -> KeptPictures:
        from ...measure.sweep.kept_pictures import KeptPictures
        from ...measure.sweep.run import folders_beside

        # Workers of pytest-xdist, and other data sets, have images on the same disk.
        others = own_slot().count * max(1, len(self._planned.datasets))
        return KeptPictures(
            self._loader.dataset(dataset),
            folders_beside(self._state.embeddings),
            part=1 / others,
        )

    def _has_further(
        self, model: str, dataset: str, swept: Container[tuple[str, str]]
    ) -> bool:
        """Whether another model is still to be measured on a data set, as far as is known."""
        return any(
            name != model and (name, dataset) not in swept and self._can_be_loaded(name)
            for name in self._planned.models_on(dataset)
        )

    def _can_be_loaded(self, model: str) -> bool:
        selected = self._state.selection.models.get(model)
        if selected is None or self._loader.has_failed(model):
            return False
        try:
            return selected.absent() is None
        except RobustError:
            # Its own first test says why.
            return False
