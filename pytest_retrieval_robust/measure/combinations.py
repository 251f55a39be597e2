"""Every combination of models, data sets, occluders or the like, and seeds, one sweep after
the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

from ..core.cases import Case, Cell, Family
from ..core.errors import RobustError
from ..core.foreign import attempted, described, traced, without_frames
from ..core.memory import give_memory_back
from ..core.plain_text import plain
from ..models import DualEncoder, precision_of
from ..retrieval.curve import Curve
from . import api
from .arguments import check_optional_whole
from .named import (
    Model,
    as_dataset,
    as_model,
    as_perturbation,
    check_kinds,
    require_distinct,
)
from .progress_bar import Bar, progress_bar
from .sweep.changes import family_of, word_for

if TYPE_CHECKING:
    from ..core.outcomes import Outcome
    from ..retrieval.metrics.named import NamedMetric
    from .embeddings.store import EmbeddingStore
    from .pairs import Pairs
    from .sweep.changes import Perturbation
    from .sweep.results import SweepResult


@dataclass(frozen=True, repr=False)
class HowMeasured:
    """How everything is measured, checked."""

    levels: tuple[float, ...]
    """Of occlusions."""
    severities: tuple[float, ...]
    """Of corruptions and of text noise."""
    seeds: tuple[int, ...]
    ks: tuple[int, ...]
    device: str | None
    batch_size: int | None
    limit: int | None
    metrics: tuple[NamedMetric, ...]

    def __post_init__(self) -> None:
        check_optional_whole("batch_size", self.batch_size)
        check_optional_whole("limit", self.limit)

    def levels_of(self, family: Family) -> tuple[float, ...]:
        """The levels or severities above 0, rising."""
        return self.levels if family == "occlusion" else self.severities

    def cells(self, changes: Sequence[Perturbation]) -> list[tuple[Cell, Perturbation]]:
        """Every cell but that with nothing done."""
        return [
            (Cell(change.name, level, seed, family_of(change)), change)
            for change, seed in product(changes, self.seeds)
            for level in self.levels_of(family_of(change))
        ]


@dataclass(frozen=True, repr=False)
class Subjects:
    """What is measured: models stay names until it is their turn."""

    models: Sequence[Model]
    parts: Sequence[Pairs]
    changes: Sequence[Perturbation]


def subjects_of(
    models: Sequence[Any],
    datasets: Sequence[Any],
    changes: Sequence[Any],
    how: HowMeasured,
) -> Subjects:
    """Everything but the models is opened, and every name is known."""
    from .pairs import check_ks, pairs_of

    for model, dataset, change in product(models, datasets, changes):
        check_kinds(model, dataset, change)
    built = [as_perturbation(change) for change in changes]
    # Those of two families are told apart by their family.
    for word in dict.fromkeys(map(word_for, built)):
        names = [change.name for change in built if word_for(change) == word]
        require_distinct(word, names)
    entries = [api.entry_of(model) for model in models if isinstance(model, str)]
    loaded = [model for model in models if not isinstance(model, str)]
    require_distinct("model", (model.name for model in (*entries, *loaded)))
    parts = []
    for dataset in datasets:
        part = pairs_of(as_dataset(dataset), how.limit)
        check_ks(part, how.ks)
        parts.append(part)
    require_distinct("data set", (part.dataset.name for part in parts))
    return Subjects(models, parts, built)


@dataclass(repr=False)
class Evaluation:
    """What was measured so far."""

    how: HowMeasured
    store: EmbeddingStore | None
    is_single: bool
    """An error ends it. Else it is written down, and the others are measured."""
    curves: list[Curve] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    """The failures, with where the user's own code failed below each."""
    _first_error: RobustError | None = None

    def run(self, subjects: Subjects, shows_progress: bool | None) -> None:
        """Measure everything; raises `RobustError` if nothing could be measured."""
        from .sweep.run import encodings

        parts = subjects.parts
        cells = self.how.cells(subjects.changes)
        total = len(subjects.models) * sum(encodings(part, cells) for part in parts)
        with progress_bar(total, shows_progress) as bar:
            for model in subjects.models:
                self._measure_model(model, parts, subjects.changes, bar)
        if not self.curves and self._first_error is not None:
            raise self._first_error

    def _measure_model(
        self,
        model: Model,
        parts: Sequence[Pairs],
        changes: Sequence[Perturbation],
        bar: Bar | None,
    ) -> None:
        name = _name_of(model)
        failed = partial(_stopped, name)
        try:
            loaded = attempted(partial(as_model, model, self.how.device), failed)
            device = attempted(partial(getattr, loaded, "device"), failed)
        except RobustError as error:
            self._note(name, error)
            return
        for part in parts:
            self._measure_part(loaded, part, changes, bar)
        # A model that was loaded here is let go before the next one is.
        if isinstance(model, str):
            del loaded
            give_memory_back(device)

    def _measure_part(
        self,
        model: DualEncoder,
        part: Pairs,
        changes: Sequence[Perturbation],
        bar: Bar | None,
    ) -> None:
        what = f"{model.name} on {part.dataset.name}"
        measure = partial(self._measure, model, part, changes, bar)
        try:
            attempted(measure, partial(_stopped, what))
        except RobustError as error:
            self._note(what, error)

    def _measure(
        self,
        model: DualEncoder,
        part: Pairs,
        changes: Sequence[Perturbation],
        bar: Bar | None,
    ) -> None:
        from .sweep.run import SweepOptions, encodings, run_sweep

        cells = self.how.cells(changes)
        title = f"{model.name} on {part.dataset.name}"
        options = SweepOptions(
            precision=precision_of(model),
            batch_size=self.how.batch_size,
            store=self.store,
            metrics=self.how.metrics,
            tell=None if bar is None else bar.begin(title, encodings(part, cells)),
        )
        result = run_sweep(model, part, cells, self.how.ks, options)
        for change, seed in product(changes, self.how.seeds):
            clean = Case(
                model.name,
                part.dataset.name,
                change.name,
                0.0,
                seed,
                family_of(change),
            )
            try:
                curve = Curve(tuple(self._outcomes(clean, result)))
            except RobustError as error:
                self._note(f"{title}, {change.name}, seed {seed}", error)
            else:
                self.curves.append(curve)

    def _outcomes(self, clean: Case, result: SweepResult) -> Iterator[Outcome]:
        """The outcomes of a curve; raises the error of the first cell that has none."""
        for level in (0.0, *self.how.levels_of(clean.family)):
            # Level 0 is recorded as that of this occluder: it is the curve's first point.
            case = replace(clean, level=level)
            measured = result.cells[case.cell]
            yield api.outcome_of(case, measured)
            api.raise_metric_error(measured)

    def _note(self, what: str, error: RobustError) -> None:
        """Write an error down, without the model and the batch that its frames hold."""
        if self.is_single:
            raise error
        failure = f"{what}: {error}"
        self.failures.append(failure)
        lines = filter(None, [plain(failure), error.traceback_text])
        self.warnings.append("\n".join(lines))
        self._first_error = self._first_error or without_frames(error)


def _stopped(what: str, error: BaseException) -> RobustError:
    """Our error for one that nobody expected, of a user's class or of a library."""
    ours = RobustError(
        f"Expected the measurement of {what} to end, got {described(error)}. Fix the"
        " model, the data set's class or the occluder's."
    )
    return traced(ours, error)


def _name_of(model: Model) -> str:
    # A locator may name a folder of the user's.
    return api.entry_of(model).name if isinstance(model, str) else model.name
