"""What the timers of a run share: prepared batches, and numbers that are measured once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...core.cases import Case
from ...core.costs import ReferenceCost
from ...core.errors import ConfigError, RobustError
from ..selected_models import SelectedModel, selected_model
from .loading import Loader, give_memory_back
from .state import RunState

if TYPE_CHECKING:
    from ...measure.sweep.changes import ImageChange
    from ...measure.timing.rounds import Alone, TimedBatch
    from ...models import DualEncoder


class Timers:
    """Times models with nothing hidden, and one model beside another.

    It is what an `OcclusionTimer` needs of a run: a `TimingSource`.
    """

    def __init__(self, state: RunState, loader: Loader) -> None:
        self._state = state
        self._loader = loader
        self._alone: dict[tuple[str, str, int, int], Alone] = {}
        self._references: dict[
            tuple[str, str, str, int, int], ReferenceCost | None
        ] = {}

    def model(self, name: str) -> DualEncoder:
        """The loaded model of that name."""
        return self._loader.model(name)

    def copies(self, name: str) -> Sequence[DualEncoder]:
        """The loaded model on further devices."""
        return self._loader.copies_of(name)

    def change(self, case: Case) -> ImageChange:
        """The occluder or corruption of a case.

        Raises `ConfigError` for a text noise, which leaves images as they are.
        """
        selection = self._state.selection
        if case.family == "occlusion":
            return selection.occluders[case.occluder]
        if case.family == "corruption":
            return selection.corruptions[case.occluder]
        raise ConfigError(
            "Expected an occluder or a corruption to time, got the text noise"
            f" {case.occluder}, which leaves images as they are. Time another case."
        )

    def timed_batch(self, model: str, dataset: str, images: int) -> TimedBatch:
        """The prepared batch that the timers of a model and data set share."""
        from ...measure.timing.rounds import prepare_batch

        loaded = self._loader.loaded(model)
        # One batch is kept at a time: the cells of a data set come one after another.
        key = (dataset, images)
        if loaded.timed is None or loaded.timed_key != key:
            loaded.timed = prepare_batch(
                loaded.encoder, self._loader.dataset(dataset), images
            )
            loaded.timed_key = key
        return loaded.timed

    def alone(self, model: str, dataset: str, images: int, calls: int) -> Alone:
        """Latency and peak memory of a model with nothing hidden.

        They are measured once: every level 0 is the same.
        """
        from ...measure.timing.rounds import measure_alone

        key = (model, dataset, images, calls)
        if key not in self._alone:
            batch = self.timed_batch(model, dataset, images)
            self._alone[key] = measure_alone(self._loader.model(model), batch, calls)
        return self._alone[key]

    def reference_of(self, case: Case) -> SelectedModel | None:
        """The model that `cost_relative_to` times this case against, at level 0."""
        name = self._state.policy.reference_of(case)
        if name is None or case.level > 0:
            return None
        state = self._state
        return selected_model(name, state.selection, state.settings, state.catalogues)

    def reference_cost(
        self, case: Case, images: int, rounds: int
    ) -> ReferenceCost | None:
        """The case's model against `reference_of`, measured once.

        None without a reference, or where it cannot be loaded.
        """
        reference = self.reference_of(case)
        if reference is None:
            return None
        key = (case.model, case.dataset, reference.entry.name, images, rounds)
        if key not in self._references:
            cost: ReferenceCost | None = None
            # It does not count as a failed load: if it is tested too, its own first
            # test must say why.
            try:
                cost = self._measure_beside(reference, case, images, rounds)
            except RobustError:
                cost = None
            self._references[key] = cost
            give_memory_back()
        return self._references[key]

    def _measure_beside(
        self, reference: SelectedModel, case: Case, images: int, rounds: int
    ) -> ReferenceCost:
        """Hold the other model no longer than this takes, so that it counts in no peak memory."""
        from ...measure.timing.rounds import rounds_beside

        batch = self.timed_batch(case.model, case.dataset, images)
        other_model = self._loader.load(reference)
        timed = rounds_beside(
            other_model,
            self._loader.model(case.model),
            self._loader.dataset(case.dataset),
            batch,
        )
        timed.warm_up()
        timed.measure(rounds)
        seconds_per_image = timed.baseline_seconds / len(batch.ids)
        return ReferenceCost(reference.entry.name, seconds_per_image, timed.ratios)
