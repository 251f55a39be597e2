"""Models and data sets are loaded on first use, and one model at a time."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...core.cases import Json
from ...core.errors import DatasetError, RobustError, TimedOutError
from ...core.foreign import without_frames
from ...core.time_limit import TimeLimit, within
from ...models import Precision
from ..selected_models import SelectedModel
from .state import RunState

if TYPE_CHECKING:
    from ...datasets import RetrievalDataset
    from ...measure.embeddings.shards import ModelShards
    from ...measure.pairs import Pairs
    from ...measure.timing.rounds import TimedBatch
    from ...models import DualEncoder


@dataclass(repr=False)
class LoadedModel:
    """The model that is loaded now, with all that is let go together with it."""

    name: str
    encoder: DualEncoder
    copies: tuple[DualEncoder, ...] | None = None
    """The same model on further devices; None until they are asked for."""
    timed: TimedBatch | None = None
    """The batch that was prepared last for the timers."""
    timed_key: tuple[str, int] | None = None
    """Its data set and number of images."""
    restarts: int = 0
    """How often its processes were started again, as far as a note has said it."""


class Loader:
    """Loads what a run has selected, and remembers what cannot be loaded."""

    def __init__(self, state: RunState) -> None:
        self._state = state
        self._loaded: LoadedModel | None = None
        self._failed: dict[str, RobustError] = {}
        self._datasets: dict[str, RetrievalDataset] = {}
        self._pairs: dict[str, Pairs] = {}
        self.cards: dict[str, Json] = {}
        """What is known of each model that was loaded; a card grows later."""
        self.notes: list[str] = []
        """Sentences for the summary of the run."""

    def model(self, name: str) -> DualEncoder:
        """The loaded model. The one that was loaded before is let go."""
        return self.loaded(name).encoder

    def loaded(self, name: str) -> LoadedModel:
        """A model with what belongs to it. A load that failed is not tried again."""
        if self._loaded is not None and self._loaded.name == name:
            return self._loaded
        if name in self._failed:
            raise copy(self._failed[name])
        self.release_model()
        try:
            encoder = self._load_in_time(name)
        except RobustError as error:
            # Its frames would hold what was loaded so far for the rest of the run.
            self._failed[name] = without_frames(error)
        # Raised outside of the handler: pytest would print the chain behind it.
        if name in self._failed:
            raise copy(self._failed[name])
        self._loaded = LoadedModel(name, encoder)
        self.cards[name] = encoder.card.as_json()
        return self._loaded

    def _load_in_time(self, name: str) -> DualEncoder:
        selected = self._state.selection.models[name]

        def too_late(limit: TimeLimit) -> TimedOutError:
            from ...measure.sweep.reached import with_place

            error = TimedOutError(
                f"Expected {name} to be loaded within timeout={limit.seconds:g} seconds,"
                " and it was not. Raise the timeout, or look at what the loader waits"
                " for."
            )
            return with_place(error, limit)

        limit = TimeLimit(self._state.timeout_of(name))
        return within(limit, lambda: self.load(selected), too_late)

    def load(
        self,
        selected: SelectedModel,
        device: str | None = None,
        precision: Precision | None = None,
    ) -> DualEncoder:
        """Load a model beside the current one, on the run's device unless another is given."""
        from ...core.device import resolve_device

        # A copy on a further device, and the exact model beside a half-precision one,
        # differ from the run's own settings in one thing each.
        settings = self._state.settings
        return selected.load(
            device or resolve_device(settings.device), precision or settings.precision
        )

    def copies_of(self, name: str) -> tuple[DualEncoder, ...]:
        """The loaded model on the further devices of this machine."""
        from ...core.device import further_devices

        loaded = self.loaded(name)
        if loaded.copies is None:
            devices = further_devices(self._state.settings.device)
            copies = [self._copy_on(name, device) for device in devices]
            loaded.copies = tuple(model for model in copies if model is not None)
        return loaded.copies

    def _copy_on(self, name: str, device: str) -> DualEncoder | None:
        """None where that device is full, or lost: the run goes on without it."""
        try:
            return self.load(self._state.selection.models[name], device)
        except (RobustError, RuntimeError) as error:
            self.notes.append(
                f"Expected room for {name} on {device}, got {type(error).__name__}: it"
                " was measured without that device. Name one with --robust-device, or"
                " see what else runs there."
            )
            return None

    def shards_of(self, model: DualEncoder) -> ModelShards | None:
        """What the embedding store keeps of a model of this run; None without a store."""
        from ...measure.embeddings.shards import ModelShards

        settings = self._state.settings
        return ModelShards.of(
            self._state.embeddings, model, settings.precision, settings.decoding
        )

    def has_failed(self, name: str) -> bool:
        return name in self._failed

    def reason_not_tested(self, name: str | None) -> str | None:
        """Why a model of this run could not be tested, or None."""
        if name is None:
            return None
        if name in self._failed:
            return str(self._failed[name])
        if name in self.cards:
            return None
        return self._state.selection.models[name].absent()

    def release_model(self) -> None:
        """Let the loaded model go, with its copies and its prepared batch."""
        if self._loaded is None:
            return
        # Before memory is given back: what is still referred to cannot be freed.
        self._loaded = None
        give_memory_back()

    def dataset(self, name: str) -> RetrievalDataset:
        """The opened data set."""
        if name not in self._datasets:
            dataset = self._state.selection.datasets[name].load()
            if dataset.name != name:
                raise DatasetError(
                    f"Expected the data set of the entry {name!r} to have that name,"
                    f" got name={dataset.name!r}. Give both the same name: results are"
                    " kept under it."
                )
            self._datasets[name] = dataset
        return self._datasets[name]

    def pairs(self, name: str) -> Pairs:
        """The part of a data set that is evaluated; all models share its lists."""
        from ...measure.pairs import pairs_of
        from ...measure.strata_lines import strata_warnings

        if name not in self._pairs:
            limit = self._state.settings.limit
            pairs = pairs_of(self.dataset(name), limit)
            self.notes += strata_warnings(name, pairs.strata)
            self._pairs[name] = pairs
        return self._pairs[name]


def give_memory_back() -> None:
    """Give unused memory back to the system, and to all devices that may have been used."""
    from ...core.memory import give_memory_back as give_back

    for device in ("cpu", "cuda", "mps"):
        give_back(device)
