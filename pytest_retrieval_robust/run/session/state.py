"""What a run is asked to do: its settings, its policy, and what the names mean."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.cases import Family, Plan, PlannedPerturbation
from ...core.catalogue import Catalogues
from ...core.config_file import ConfigFile
from ...core.errors import RobustError
from ...core.foreign import without_frames
from ...gate.arrays import RunStore
from ...gate.measurements import Identity
from ...gate.policy import Policy
from ...gate.toml import read_policy
from ..selection import Selection, select
from ..settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...core.progress import Tell
    from ...measure.embeddings.store import EmbeddingStore
    from ...retrieval.metrics.named import NamedMetric
    from ..ledger_file import LedgerFile
    from ..ray.session import RayEngines


@dataclass(frozen=True, repr=False)
class Invocation:
    """How pytest was started, for processes that collect the same suite."""

    arguments: tuple[str, ...]
    folder: Path


class RunState:
    """What a run is asked to do, in one process. Nothing is loaded or measured here."""

    def __init__(
        self, settings: Settings, catalogues: Catalogues, store: RunStore
    ) -> None:
        self.settings = settings
        self.catalogues = catalogues
        self.policy: Policy = read_policy(settings.config_file)
        self.first_test: Path | None = None
        """The file of the first test of ours, by which the policy was found."""
        self.identity = Identity.new()
        self.store = store
        """Where ranks lie while the run lasts."""
        self.tell: Tell | None = None
        """What shows how far a sweep has come."""
        self.invocation: Invocation | None = None
        """None in a session that no pytest began."""
        self._ray: RayEngines | None = None
        self._ray_error: RobustError | None = None
        self._old_ray_notes: list[str] = []
        """Of actors that were given up."""
        self.say: Callable[[str], None] | None = None
        """What shows a sentence at once, while the run goes on."""
        self.own_failures: set[str] = set()
        """First lines of the failures that this package wrote, which name no patient."""
        self.tracebacks: dict[str, str] = {}
        """Where code of the user's failed beside the tests, by what it was to make."""
        self._selection: Selection | None = None
        self._perturbations: dict[PlannedPerturbation, PlannedPerturbation] = {}

    @property
    def selection(self) -> Selection:
        """What the names stand for. Raises `ConfigError` for an unknown one."""
        # Late: a conftest may register models until the first test is collected.
        if self._selection is None:
            self._selection = select(self.settings, self.catalogues)
        return self._selection

    @property
    def policy_path(self) -> Path | None:
        """Where the `robust.toml` of this run lies."""
        if self.settings.config_file is None:
            return None
        return self.settings.config_file.path

    @property
    def judging_policy(self) -> Policy:
        """The policy that judges: an empty one with `--robust-measure-only`.

        Searches and timings still follow `policy`.
        """
        return Policy() if self.settings.measure_only else self.policy

    def timeout_of(self, model: str) -> float | None:
        """Seconds for loading a model, and for each of its sweeps and searches.

        What was typed wins over the model's table, and that over the file's own line.
        """
        config_file = self.settings.config_file
        if self.settings.timeout is not None or config_file is None:
            return self.settings.timeout
        for table in config_file.models:
            if table.name == model and table.timeout is not None:
                return table.timeout
        return config_file.timeout

    def give_ray_up(self) -> None:
        """End the actors, of which some may hang: the next sweep begins new ones."""
        if self._ray is not None:
            self._old_ray_notes += self._ray.notes
            self._ray.close()
            self._ray = None

    @property
    def whole_plan(self) -> Plan:
        """Everything that the options ask for, before `-k` and the like leave any out."""
        return Plan(
            tuple(self.selection.models),
            tuple(self.selection.datasets),
            tuple(self.selection.occluders),
            self.settings.levels,
            self.settings.seeds,
            self.settings.ks,
            tuple(self.selection.corruptions),
            tuple(self.selection.text_noise),
            self.settings.severities if self._has_severities else (),
        )

    @property
    def _has_severities(self) -> bool:
        return bool(self.selection.corruptions or self.selection.text_noise)

    def planned_perturbation(self, family: Family, name: str) -> PlannedPerturbation:
        """The same object each time: pytest 8 keeps a fixture's value only for that."""
        planned = PlannedPerturbation(family, name)
        return self._perturbations.setdefault(planned, planned)

    @property
    def ledger(self) -> LedgerFile | None:
        """Where attempts are counted; None where neither it nor a folder for the results
        is named.
        """
        from ..ledger_file import NAME, LedgerFile

        results = self.settings.results
        if self.settings.attempts is not None:
            return LedgerFile(self.settings.attempts, results)
        if results is None:
            return None
        return LedgerFile(results.parent / NAME, results)

    @property
    def gate_metrics(self) -> tuple[NamedMetric, ...]:
        """The metrics that gates name, as far as they are registered."""
        from ..gate_names import metrics_of_gates

        return metrics_of_gates(self.policy, self.catalogues)

    @property
    def metrics(self) -> tuple[NamedMetric, ...]:
        """The metrics to compute, each once: those of the options, then those of gates."""
        metrics = (*self.selection.metrics, *self.gate_metrics)
        return tuple({metric.name: metric for metric in metrics}.values())

    def take_policy(
        self, config_file: ConfigFile | None, catalogues: Catalogues
    ) -> None:
        """Take another `robust.toml`, before anything is loaded.

        `catalogues` must be new: the old ones hold the models of the other file.
        """
        # Everything that follows from the file goes with it.
        self.settings = replace(self.settings, config_file=config_file)
        self.policy = read_policy(config_file)
        self.catalogues = catalogues
        self._selection = None

    def note_traceback(self, work: str, text: str) -> None:
        """Have it printed at the end of the run: it is no part of the record."""
        if text:
            self.tracebacks[work] = text

    @property
    def ray(self) -> RayEngines:
        """The actors of Ray that encode for this run, begun when first asked for."""
        if self._ray_error is not None:
            raise copy(self._ray_error)
        if self._ray is None:
            self._ray = self._begin_ray()
        return self._ray

    def _begin_ray(self) -> RayEngines:
        from ..ray.session import RayEngines

        assert self.invocation is not None, "pytest begins a session"
        try:
            return RayEngines(self.settings, self.invocation)
        except RobustError as error:
            # Waiting for it again, for each model and data set, would take minutes.
            self._ray_error = without_frames(error)
            raise

    @property
    def ray_notes(self) -> tuple[str, ...]:
        """What there is to say of the actors; nothing where none was begun."""
        notes = () if self._ray is None else tuple(self._ray.notes)
        return (*self._old_ray_notes, *notes)

    def close(self) -> None:
        """End what runs beside this process."""
        if self._ray is not None:
            self._ray.close()

    @cached_property
    def embeddings(self) -> EmbeddingStore | None:
        """Where embeddings are kept from run to run; None with `--robust-no-cache`."""
        from ...core.atomic_files import cache_folder
        from ...measure.embeddings.store import FOLDER, EmbeddingStore

        if not self.settings.keeps_embeddings:
            return None
        folder = cache_folder(self.settings.cache_dir) / FOLDER
        return EmbeddingStore(folder, self.settings.cache_limit)
