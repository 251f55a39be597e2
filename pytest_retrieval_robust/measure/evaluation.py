"""`evaluate`: curves of one or several models, data sets, occluders or the like, and seeds."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from ..core.atomic_files import cache_folder
from ..core.errors import ArgumentError
from ..core.plain_text import plain
from ..retrieval.curve import Curve
from ..retrieval.curves import Curves
from . import api
from .arguments import (
    check_flag,
    check_path,
    check_texts,
    checked_ks,
    checked_levels,
    checked_seed,
    device_name,
)
from .combinations import Evaluation, HowMeasured, subjects_of
from .from_text import metric_from_text
from .named import (
    AnyPerturbation,
    Dataset,
    Model,
    each,
    is_several,
    require_distinct,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from ..retrieval.metrics.named import NamedMetric
    from .embeddings.store import EmbeddingStore

_LEVELS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
_SEVERITIES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_CACHE_LIMIT = 20_000_000_000
"""Bytes in the platform's cache folder: those of `--robust-cache-limit` by default."""


# One of each gives a curve, which is the narrower of the two forms.
@overload
def evaluate(  # type: ignore[overload-overlap]
    model: Model,
    dataset: Dataset,
    occluder: AnyPerturbation,
    *,
    levels: Sequence[float] | None = ...,
    severities: Sequence[float] | None = ...,
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
    occluder: AnyPerturbation | Sequence[AnyPerturbation],
    *,
    levels: Sequence[float] | None = ...,
    severities: Sequence[float] | None = ...,
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
    occluder: AnyPerturbation | Sequence[AnyPerturbation],
    *,
    levels: Sequence[float] | None = None,
    severities: Sequence[float] | None = None,
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
    """Recall@k of a model over occlusion levels: the task of arXiv 2501.09134; or over the
    severities of a corruption of images, or of a noise of reports.

    Lists of models, data sets, occluders or seeds measure every combination. Images are
    decoded once per model and data set. What cannot be measured leaves the others
    untouched: a warning and `failures` say what and why.

    Args:
        model: A loaded model, or the name or locator of one, which is then loaded, and
            let go before the next one; or a list of these.
        dataset: An opened data set, or a name, with parameters in parentheses.
        occluder: An occluder, a corruption or a text noise, or the name of one, with
            parameters in parentheses: `patches(grid=14)`, `contrast`, `case`. A list may
            have several families. A name is looked for in all three catalogues.
        levels: Fractions of the image area, by default 0, 0.1, ..., 0.5. 0 is always
            measured, as the reference.
        severities: Those of corruptions and text noise, from 0 to 1; by default `levels`
            where they are given, else 0, 0.2, ..., 1, the five published steps.
        seed: Each seed gives one mask layout, or one randomness.
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
    hidden = checked_levels(_LEVELS if levels is None else levels)
    how = HowMeasured(
        levels=tuple(hidden),
        severities=tuple(_checked_severities(levels, severities)),
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
    store = store_in(cache_dir, not is_single if cache is None else cache)
    evaluation = Evaluation(how, store, is_single)
    subjects = subjects_of(
        each("model", model),
        each("data set", dataset),
        each("occluder", occluder),
        how,
    )
    shows_progress = False if is_single and progress is None else progress
    evaluation.run(subjects, shows_progress)
    # Nothing that goes wrong with the store ends a measurement.
    for note in () if store is None else store.notes:
        warnings.warn(plain(note), stacklevel=2)
    if is_single:
        return evaluation.curves[0]
    for warning in evaluation.warnings:
        warnings.warn(warning, stacklevel=2)
    return Curves(tuple(evaluation.curves), tuple(evaluation.failures))


def _checked_severities(
    levels: Sequence[float] | None, severities: Sequence[float] | None
) -> list[float]:
    if severities is not None:
        return checked_levels(severities, "severities")
    return checked_levels(_SEVERITIES if levels is None else levels)


def _checked_seeds(seed: Any) -> tuple[int, ...]:
    seeds = tuple(checked_seed(value) for value in each("seed", seed))
    require_distinct("seed", map(str, seeds))
    return seeds


def _checked_metrics(metrics: Collection[str]) -> tuple[NamedMetric, ...]:
    check_texts("metrics", metrics, ("mrr",))
    catalogue = api.catalogues().metrics
    return tuple(metric_from_text(text, catalogue) for text in metrics)


def store_in(
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
