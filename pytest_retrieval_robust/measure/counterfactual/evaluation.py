"""`evaluate_counterfactuals`: whether a model reads what a report says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any

from ...core.cases import CLEAN, Case, Cell
from ...core.counterfactual_outcomes import Counterfactuals, clean_case
from ...core.errors import ArgumentError, RobustError
from ...models import precision_of
from ..arguments import (
    check_optional_whole,
    check_path,
    checked_ks,
    checked_levels,
    checked_seed,
    device_name,
)
from ..evaluation import store_in
from ..named import (
    AnyPerturbation,
    Dataset,
    Model,
    as_dataset,
    as_model,
    as_perturbation,
    check_kinds,
)
from ..sweep.changes import family_of
from .sources import Edits, edits_of

if TYPE_CHECKING:
    from ..sweep.changes import Perturbation
    from ..sweep.results import Measured, SweepResult

_LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5)
_SEVERITIES = (0.2, 0.4, 0.6, 0.8, 1.0)


def evaluate_counterfactuals(
    model: Model,
    dataset: Dataset,
    change: AnyPerturbation | None = None,
    *,
    edits: Edits | None = None,
    levels: Sequence[float] | None = None,
    seed: int = 0,
    ks: Sequence[int] = (1, 5, 10),
    device: str | None = None,
    batch_size: int | None = None,
    limit: int | None = None,
    cache_dir: str | PathLike[str] | None = None,
) -> Counterfactuals:
    """How often an image's own report beats an edit of it, and Recall@k among all edits.

    An edit is the report with one thing changed, so that it is wrong: a finding denied,
    left and right swapped, a device moved. A model that takes a report for a bag of words
    does no better than a coin: 0.5. A caption beside the same one made wrong is the
    design of ARO (M. Yuksekgonul et al., ICLR 2023), and edits in the gallery are
    RoCOCO's (S. Park et al., ECCV 2024).

    Args:
        model: A loaded model, or the name or locator of one.
        dataset: An opened data set, or a name, with parameters in parentheses.
        change: An occluder or a corruption of the images, or the name of one, with
            parameters in parentheses. None measures the clean images alone.
        edits: None for those of the data set; `"rules"` for edits of English free text by
            rules; the path of a table of pairs; or `EditedReports`.
        levels: How much is hidden, or how severe a corruption is: None for 0.1 to 0.5 of
            the image, or for severities 0.2 to 1. 0 is always measured.
        seed: Gives the layout.
        ks: The k of Recall@k.
        device: Where a named model is loaded. A loaded one has to be there already.
        batch_size: Images, or texts, per batch; None for a size that suits the device.
        limit: Only the first so many images, with their reports.
        cache_dir: Embeddings are kept there, those of the edits too.

    Returns:
        `Counterfactuals`: an outcome per cell, the clean one first. `.clean.win_share()`
        is over all kinds, `.win_share("negation")` over one; `.recall(k)` has all edits
        in the gallery.

    Raises:
        ArgumentError: An argument is of the wrong kind, or out of range.
        DatasetError: The data set has no edits, or the table does not fit it.
        RobustError: The error of the first cell that could not be measured.
    """
    from ..pairs import check_ks, pairs_of
    from ..sweep.run import SweepOptions, run_sweep

    # What can be refused is refused before anything is loaded.
    check_kinds(model, dataset, "none" if change is None else change)
    checked = checked_ks(ks)
    check_optional_whole("batch_size", batch_size)
    check_optional_whole("limit", limit)
    check_path("cache_dir", cache_dir)
    _check_edits(edits)
    if device is not None:
        device_name(device)
    cells = _cells(change, levels, checked_seed(seed))
    opened = as_dataset(dataset)
    pairs = pairs_of(opened, limit)
    check_ks(pairs, checked)
    edited = edits_of(opened, edits)
    loaded = as_model(model, device)
    options = SweepOptions(
        precision=precision_of(loaded),
        batch_size=batch_size,
        store=store_in(cache_dir, is_kept=False),
        edits=edited,
    )
    result = run_sweep(loaded, pairs, cells, checked, options)
    case = clean_case(loaded.name, opened.name)
    return counterfactuals_of(result, case, [cell for cell, _ in cells])


def counterfactuals_of(
    result: SweepResult, clean: Case, cells: Sequence[Cell]
) -> Counterfactuals:
    """The outcomes of a sweep in the clean cell and in these.

    Raises:
        RobustError: What kept the edits, or one of the cells, from being measured.
    """
    outcomes = []
    for cell in (CLEAN, *cells):
        case = replace(
            clean,
            occluder=cell.occluder,
            level=cell.level,
            seed=cell.seed,
            family=cell.family,
        )
        if result.edits_error is not None:
            raise result.edits_error
        measured: Measured | RobustError = result.cells[cell]
        if isinstance(measured, RobustError):
            raise measured
        assert measured.counterfactual is not None, "the sweep was given edits"
        outcomes.append(measured.counterfactual.outcome(case))
    return Counterfactuals(tuple(outcomes))


def _cells(
    change: AnyPerturbation | None, levels: Sequence[float] | None, seed: int
) -> list[tuple[Cell, Perturbation]]:
    """Every cell above level 0."""
    if change is None:
        return []
    built = as_perturbation(change)
    family = family_of(built)
    if family == "text-noise":
        raise ArgumentError(
            f"Expected an occluder or a corruption, got the text noise {built.name!r}."
            " Edits are those of reports without noise: change the images."
        )
    if levels is None:
        levels = _LEVELS if family == "occlusion" else _SEVERITIES
    return [
        (Cell(built.name, level, seed, family), built)
        for level in checked_levels(levels)
        if level > 0
    ]


def _check_edits(edits: Any) -> None:
    from ...core.counterfactuals import EditedReports

    if edits is None or isinstance(edits, EditedReports | str | PathLike):
        return
    raise ArgumentError(
        "Expected edits as EditedReports, 'rules' or the path of a table, got a"
        f" {type(edits).__name__}. Leave them out for those of the data set."
    )
