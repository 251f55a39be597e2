"""`evaluate`: curves of one or several models, data sets, occluders and mask layouts."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from ..core.atomic_files import cache_folder
from ..core.cases import CLEAN, Case, Cell
from ..core.errors import ArgumentError, RobustError
from ..core.foreign import without_frames
from ..core.memory import give_memory_back
from ..models import DualEncoder, precision_of
from ..occluders import Occluder
from ..retrieval.curve import Curve
from ..retrieval.curves import Curves
from . import api
from .arguments import (
    check_flag,
    check_optional_whole,
    check_path,
    check_texts,
    checked_ks,
    checked_levels,
    checked_seed,
    device_name,
)
from .from_text import metric_from_text
from .named import (
    AnyOccluder,
    Dataset,
    Model,
    as_dataset,
    as_model,
    as_occluder,
    check_kinds,
    each,
    is_several,
    require_distinct,
)
from .progress_bar import Bar, progress_bar

if TYPE_CHECKING:
    from collections.abc import Collection

    from ..retrieval.metrics.named import NamedMetric
    from .embeddings.store import EmbeddingStore
    from .pairs import Pairs
    from .sweep.results import SweepResult

_CACHE_LIMIT = 20_000_000_000
"""Bytes in the platform's cache folder: those of `--robust-cache-limit` by default."""


# One of each gives a curve, which is the narrower of the two forms.
@overload
def evaluate(  # type: ignore[overload-overlap]
    model: Model,
    dataset: Dataset,
    occluder: AnyOccluder,
    *,
    levels: Sequence[float] = ...,
    seed: int = ...,
    ks: Sequence[int] = ...,
    device: str | None = ...,
    batch_size: int | None = ...,
    limit: int | None = ...,
    cache_dir: str | PathLike[str] | None = ...,
    metrics: Collection[str] = ...,
    cache: bool | None = ...,
    progress: bool | None = ...,
) -> Curve: ...
@overload
def evaluate(
    model: Model | Sequence[Model],
    dataset: Dataset | Sequence[Dataset],
    occluder: AnyOccluder | Sequence[AnyOccluder],
    *,
    levels: Sequence[float] = ...,
    seed: int | Sequence[int] = ...,
    ks: Sequence[int] = ...,
    device: str | None = ...,
    batch_size: int | None = ...,
    limit: int | None = ...,
    cache_dir: str | PathLike[str] | None = ...,
    metrics: Collection[str] = ...,
    cache: bool | None = ...,
    progress: bool | None = ...,
) -> Curves: ...
def evaluate(
    model: Model | Sequence[Model],
    dataset: Dataset | Sequence[Dataset],
    occluder: AnyOccluder | Sequence[AnyOccluder],
    *,
    levels: Sequence[float] = (0, 0.1, 0.2, 0.3, 0.4, 0.5),
    seed: int | Sequence[int] = 0,
    ks: Sequence[int] = (1, 5, 10),
    device: str | None = None,
    batch_size: int | None = None,
    limit: int | None = None,
    cache_dir: str | PathLike[str] | None = None,
    metrics: Collection[str] = (),
    cache: bool | None = None,
    progress: bool | None = None,
) -> Curve | Curves:
    """Recall@k of a model over occlusion levels: the task of arXiv 2501.09134.

    Lists of models, data sets, occluders or seeds measure every combination. Images are
    decoded once per model and data set. What cannot be measured leaves the others
    untouched: a warning and `failures` say what and why.

    Args:
        model: A loaded model, or the name or locator of one, which is then loaded, and
            let go before the next one; or a list of these.
        dataset: An opened data set, or a name, with parameters in parentheses.
        occluder: An occluder, or a name, with parameters in parentheses.
        levels: Fractions of the image area. 0 is always measured, as the reference.
        seed: Each seed gives one mask layout.
        ks: The k of Recall@k.
        device: Where a named model is loaded. A loaded one has to be there already.
        batch_size: Images per batch; None for a size that suits the device.
        limit: Only the first so many pairs.
        cache_dir: Embeddings are kept there, and those that are there already are not
            encoded again: what was interrupted goes on where it was.
        metrics: Registered metrics to compute beside Recall@k: `("hit-rate(k=3)",)`.
            `outcome.scores(direction).metrics` has their values.
        cache: Without `cache_dir`, whether embeddings are kept in the platform's cache
            folder, as a run of pytest keeps them. By default they are where there is a
            list, and are not for a single curve.
        progress: Whether a progress bar is shown. By default it is where there is a
            list, on a terminal and in a notebook.

    Returns:
        A `Curve`, or `Curves` where there is a list: `recall(k)`, `retention(k)`,
        `area(k)`, `half_level(k)`, `slope(k)`, `outcomes`, `to_dataframe()`, `plot()`.

    Raises:
        ArgumentError: An argument is of the wrong kind, or out of range.
        RobustError: The error of the first cell that could not be measured; with a list
            only if nothing could.
    """
    is_single = not any(map(is_several, (model, dataset, occluder, seed)))
    # What can be refused is refused before anything is loaded.
    check_flag("cache", cache)
    check_flag("progress", progress)
    how = _How(
        levels=tuple(checked_levels(levels)),
        seeds=_checked_seeds(seed),
        ks=checked_ks(ks),
        device=device,
        batch_size=batch_size,
        limit=limit,
        metrics=_checked_metrics(metrics),
    )
    if device is not None:
        device_name(device)
    if cache is False and cache_dir is not None:
        raise ArgumentError(
            "Expected cache_dir or cache=False, got both. Leave one of them out."
        )
    store = _store(cache_dir, not is_single if cache is None else cache)
    evaluation = _Evaluation(how, store, is_single)
    subjects = _subjects(
        each("model", model),
        each("data set", dataset),
        each("occluder", occluder),
        how,
    )
    shows_progress = False if is_single and progress is None else progress
    evaluation.run(subjects, shows_progress)
    # Nothing that goes wrong with the store ends a measurement.
    for note in () if store is None else store.notes:
        warnings.warn(note, stacklevel=2)
    if is_single:
        return evaluation.curves[0]
    for failure in evaluation.failures:
        warnings.warn(failure, stacklevel=2)
    return Curves(tuple(evaluation.curves), tuple(evaluation.failures))


@dataclass(frozen=True, repr=False)
class _How:
    """How everything is measured, checked."""

    levels: tuple[float, ...]
    seeds: tuple[int, ...]
    ks: tuple[int, ...]
    device: str | None
    batch_size: int | None
    limit: int | None
    metrics: tuple[NamedMetric, ...]

    def __post_init__(self) -> None:
        check_optional_whole("batch_size", self.batch_size)
        check_optional_whole("limit", self.limit)

    def cells(self, occluders: Sequence[Occluder]) -> list[tuple[Cell, Occluder]]:
        """Every cell but that with nothing hidden."""
        return [
            (Cell(occluder.name, level, seed), occluder)
            for occluder, seed in product(occluders, self.seeds)
            for level in self.levels
        ]


@dataclass(frozen=True, repr=False)
class _Subjects:
    """What is measured: models stay names until it is their turn."""

    models: Sequence[Model]
    parts: Sequence[Pairs]
    occluders: Sequence[Occluder]


def _subjects(
    models: Sequence[Any],
    datasets: Sequence[Any],
    occluders: Sequence[Any],
    how: _How,
) -> _Subjects:
    """Everything but the models is opened, and every name is known."""
    from .pairs import check_ks, pairs_of

    for model, dataset, occluder in product(models, datasets, occluders):
        check_kinds(model, dataset, occluder)
    hiding = [as_occluder(occluder) for occluder in occluders]
    require_distinct("occluder", (occluder.name for occluder in hiding))
    entries = [api.entry_of(model) for model in models if isinstance(model, str)]
    loaded = [model for model in models if not isinstance(model, str)]
    require_distinct("model", (model.name for model in (*entries, *loaded)))
    parts = []
    for dataset in datasets:
        part = pairs_of(as_dataset(dataset), how.limit)
        check_ks(part, how.ks)
        parts.append(part)
    require_distinct("data set", (part.dataset.name for part in parts))
    return _Subjects(models, parts, hiding)


@dataclass(repr=False)
class _Evaluation:
    """What was measured so far."""

    how: _How
    store: EmbeddingStore | None
    is_single: bool
    """An error ends it. Else it is written down, and the others are measured."""
    curves: list[Curve] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    _first_error: RobustError | None = None

    def run(self, subjects: _Subjects, shows_progress: bool | None) -> None:
        """Measure everything; raises `RobustError` if nothing could be measured."""
        parts = subjects.parts
        images = sum(len(part.images) for part in parts)
        cells = 1 + len(self.how.cells(subjects.occluders))
        total = len(subjects.models) * images * cells
        with progress_bar(total, shows_progress) as bar:
            for model in subjects.models:
                self._measure_model(model, parts, subjects.occluders, bar)
        if not self.curves and self._first_error is not None:
            raise self._first_error

    def _measure_model(
        self,
        model: Model,
        parts: Sequence[Pairs],
        occluders: Sequence[Occluder],
        bar: Bar | None,
    ) -> None:
        try:
            loaded = as_model(model, self.how.device)
        except RobustError as error:
            self._note(_name_of(model), error)
            return
        device = loaded.device
        for part in parts:
            try:
                self._measure(loaded, part, occluders, bar)
            except RobustError as error:
                self._note(f"{loaded.name} on {part.dataset.name}", error)
        # A model that was loaded here is let go before the next one is.
        if isinstance(model, str):
            del loaded
            give_memory_back(device)

    def _measure(
        self,
        model: DualEncoder,
        part: Pairs,
        occluders: Sequence[Occluder],
        bar: Bar | None,
    ) -> None:
        from .sweep.run import SweepOptions, run_sweep

        cells = self.how.cells(occluders)
        title = f"{model.name} on {part.dataset.name}"
        encodings = len(part.images) * (1 + len(cells))
        options = SweepOptions(
            precision=precision_of(model),
            batch_size=self.how.batch_size,
            store=self.store,
            metrics=self.how.metrics,
            tell=None if bar is None else bar.begin(title, encodings),
        )
        result = run_sweep(model, part, cells, self.how.ks, options)
        for occluder, seed in product(occluders, self.how.seeds):
            clean = Case(model.name, part.dataset.name, occluder.name, 0.0, seed)
            try:
                curve = Curve(tuple(self._outcomes(clean, result)))
            except RobustError as error:
                self._note(f"{title}, {occluder.name}, seed {seed}", error)
            else:
                self.curves.append(curve)

    def _outcomes(self, clean: Case, result: SweepResult) -> Iterator[Any]:
        """The outcomes of a curve; raises the error of the first cell that has none."""
        for level in (0.0, *self.how.levels):
            cell = Cell(clean.occluder, level, clean.seed) if level else CLEAN
            # Level 0 is recorded as that of this occluder: it is the curve's first point.
            case = Case(clean.model, clean.dataset, clean.occluder, level, clean.seed)
            yield api.outcome_of(case, result.cells[cell])
            api.raise_metric_error(result.cells[cell])

    def _note(self, what: str, error: RobustError) -> None:
        """Write an error down, without the model and the batch that its frames hold."""
        if self.is_single:
            raise error
        self.failures.append(f"{what}: {error}")
        self._first_error = self._first_error or without_frames(error)


def _name_of(model: Model) -> str:
    # A locator may name a folder of the user's.
    return api.entry_of(model).name if isinstance(model, str) else model.name


def _checked_seeds(seed: Any) -> tuple[int, ...]:
    seeds = tuple(checked_seed(value) for value in each("seed", seed))
    require_distinct("seed", map(str, seeds))
    return seeds


def _checked_metrics(metrics: Collection[str]) -> tuple[NamedMetric, ...]:
    check_texts("metrics", metrics, ("mrr",))
    catalogue = api.catalogues().metrics
    return tuple(metric_from_text(text, catalogue) for text in metrics)


def _store(
    cache_dir: str | PathLike[str] | None, is_kept: bool
) -> EmbeddingStore | None:
    """Where embeddings are kept; None for nowhere."""
    from .embeddings.store import FOLDER, EmbeddingStore

    check_path("cache_dir", cache_dir)
    if cache_dir is not None:
        return EmbeddingStore(Path(cache_dir) / FOLDER)
    if is_kept:
        return EmbeddingStore(cache_folder() / FOLDER, _CACHE_LIMIT)
    return None
