"""The smallest occlusion that breaks a model's retrieval.

For an image whose right report is among a model's k best, the *breaking share* is the
smallest share of the image whose hiding pushes it out. The search is greedy, so what it
finds is an upper bound on the smallest, and is called that. Its first step hides every
cell alone: the mean fall of the right report's score is the *sensitivity map*.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..core.errors import OcclusionError
from ..core.memory import or_device_error
from ..core.progress import Counter, Tell
from ..core.searches import BreakingOutcome
from ..models import similarity_of
from ..occluders.guided._greedy import Breaking, search_breaking
from ..occluders.guided._probe import Probe
from ..retrieval.ranking import positive_ranks
from .arguments import check_optional_whole
from .named import Dataset, Model, as_dataset, as_model, check_kinds
from .query_keys import keys_of, secret_of
from .search import Search, check_numbers
from .sensitivity import heat_map, maps_by_label
from .sweep.scores import in_tiles

if TYPE_CHECKING:
    from torch import Tensor

    from ..occluders.scene import Scene
    from .pairs import Pairs

BUDGET = 800
"""Encodings per image that a search usually takes at most."""
FEWEST_PER_CELL = 3
"""Encodings per cell that a search needs."""
USUAL_PER_CELL = 12


def usual_budget(grid: int) -> int:
    """Encodings per image for a grid: 12 per cell, at most `BUDGET`, and never too few."""
    cells = grid**2
    return max(FEWEST_PER_CELL * cells, min(BUDGET, USUAL_PER_CELL * cells))


@dataclass(frozen=True, eq=False, repr=False)
class BreakingResult:
    """What a search found in N images of a data set, in the order of `numbers`."""

    outcome: BreakingOutcome
    numbers: NDArray[np.int64]
    """(N,) the images' numbers in the data set."""
    masks: NDArray[np.bool_]
    """(N, G, G) the breaking occlusions. Nothing is hidden if the right report is not
    found to begin with.
    """
    shares: NDArray[np.float64]
    """(N,) the share of the image that each hides: an upper bound on the smallest. NaN
    if there is nothing to break, 1 if nothing that was tried broke it.
    """
    ranks_before: NDArray[np.int64]
    """(N,) the right report's rank with nothing hidden, exact, from 1."""
    ranks_after: NDArray[np.int64]
    """(N,) its rank under the mask."""
    falls: NDArray[np.float64]
    """(N, G, G) by how much the right report's score falls when one cell is hidden."""
    encodings: NDArray[np.int64]
    """(N,) hidden versions that the model encoded."""
    one_minimal: NDArray[np.bool_]
    """(N,) whether giving back any one hidden cell was seen to bring the right report back."""

    def __repr__(self) -> str:
        return f"<BreakingResult of {self.outcome!r}>"


def find_breaking(
    model: Model,
    dataset: Dataset,
    *,
    k: int = 10,
    grid: int = 16,
    fill: str = "black",
    images: int = 100,
    budget: int | None = None,
    limit: int | None = None,
    batch_size: int | None = None,
    tell: Tell | None = None,
) -> BreakingResult:
    """Search the smallest occlusion that pushes an image's right report out of the top k.

    Args:
        model: A loaded model, or the name or locator of one.
        dataset: An opened data set, or a name, with parameters in parentheses. All of
            its reports are the gallery.
        k: The right report counts as found among the k best.
        grid: Cells along each side of the source image, 2 to 256.
        fill: What hides: one of `fills.FILLS`.
        images: How many images, chosen by their ids alone.
        budget: Encodings per image at most, at least three per cell; None for
            `usual_budget(grid)`, 800 for a grid of 16. With fewer, a result is worse,
            never wrong.
        limit: Only the first so many images of the data set, with their reports.
        batch_size: Hidden versions that are encoded at a time.
        tell: Called with the progress after each batch. Its total is the most that the
            search may take.

    Raises:
        OcclusionError: An argument is out of range.
        DatasetError: No image can be read.
    """
    # What can be refused is refused before a model is loaded.
    check_kinds(model, dataset)
    check_numbers(grid, images, limit, batch_size)
    _checked_budget(budget, grid)
    opened = as_dataset(dataset)
    loaded = as_model(model)
    search = Search(loaded, opened, grid, fill, images, k, limit, batch_size)
    return run_search(search, budget, tell)


def run_search(
    search: Search, budget: int | None = None, tell: Tell | None = None
) -> BreakingResult:
    """`find_breaking` for a search whose other arguments are checked already."""
    budget = _checked_budget(budget, search.grid)
    most = min(search.images, len(search.pairs.images)) * budget
    with closing(
        Counter(search.model.name, search.dataset.name, most, tell)
    ) as counter:
        parts = search.results(
            search.pairs,
            partial(_search_part, budget=budget),
            partial(counter.add, None, encoded=True),
        )
    return _result(search, budget, parts)


def _checked_budget(budget: int | None, grid: int) -> int:
    check_optional_whole("budget", budget)
    if budget is None:
        return usual_budget(grid)
    fewest = FEWEST_PER_CELL * grid**2
    if budget < fewest:
        raise OcclusionError(
            f"Expected a budget of at least three encodings per cell, got"
            f" budget={budget} for grid={grid}. Give {fewest} or more, or use fewer"
            " cells."
        )
    return budget


@dataclass(frozen=True, eq=False, repr=False)
class _SearchedPart:
    """What was found in a part of the images, with their rows before and after."""

    scene: Scene
    breakings: Sequence[Breaking]
    rows_before: Tensor
    rows_after: Tensor


@dataclass(frozen=True, eq=False, repr=False)
class _Ranked:
    """The exact ranks of a part's right reports."""

    before: NDArray[np.int64]
    after: NDArray[np.int64]


def _search_part(probe: Probe, budget: int) -> _SearchedPart:
    cells = probe.grid**2
    # One search per image; the probe encodes what all of them ask for in full batches.
    breakings = probe.run([search_breaking(cells, budget) for _ in probe.scene.ids])
    hidden = np.stack([breaking.cells for breaking in breakings])
    images = np.arange(len(hidden))
    return _SearchedPart(
        scene=_without_pixels(probe.scene),
        breakings=breakings,
        rows_before=probe.encode(images, np.zeros_like(hidden)),
        rows_after=probe.encode(images, hidden),
    )


def _without_pixels(scene: Scene) -> Scene:
    """The scene, fit to be kept until all parts are searched."""
    return replace(scene, pixels=scene.pixels[:0].clone())


def _ranked(part: _SearchedPart) -> _Ranked:
    """The exact ranks: the searches themselves compare float32 scores."""
    scene = part.scene
    return _Ranked(_ranks(scene, part.rows_before), _ranks(scene, part.rows_after))


def _ranks(scene: Scene, rows: Tensor) -> NDArray[np.int64]:
    setting = scene.setting
    similarity = similarity_of(setting.encoder)

    def rank(device: str, tile: int) -> NDArray[np.int64]:
        return positive_ranks(
            rows.to(device),
            setting.reports.to(device),
            scene.groups,
            setting.report_groups,
            similarity=similarity,
            tile=tile,
        )

    return in_tiles(setting.encoder, rank)


def _result(
    search: Search, budget: int, parts: Sequence[_SearchedPart]
) -> BreakingResult:
    breakings = [breaking for part in parts for breaking in part.breakings]
    # Here and not beside the searches: ranking changes settings of torch that encoders in
    # other threads would run under.
    model = search.model
    ranked = or_device_error(
        lambda: [_ranked(part) for part in parts],
        f"the images of {model.name} to be ranked",
        model.device,
    )
    ranks_before = np.concatenate([part.before for part in ranked])
    ranks_after = np.concatenate([part.after for part in ranked])
    numbers = np.concatenate([np.array(part.scene.numbers, np.int64) for part in parts])
    hidden = np.stack([breaking.cells for breaking in breakings])
    # Without a right report in the top k there is nothing to break.
    was_found = ranks_before <= search.k
    shares = np.where(was_found, hidden.mean(axis=1), np.nan)
    per_cell = np.stack([breaking.falls for breaking in breakings])
    falls = per_cell.reshape(-1, search.grid, search.grid)
    one_minimal = np.array([breaking.one_minimal for breaking in breakings], np.bool_)
    encodings = np.array([breaking.encodings for breaking in breakings], np.int64)
    outcome = BreakingOutcome(
        model=search.model.name,
        dataset=search.dataset.name,
        k=search.k,
        grid=search.grid,
        fill=search.fill,
        budget=budget,
        images=len(breakings),
        shares=tuple(sorted(shares[was_found].tolist())),
        unbroken=sum(not breaking.broken for breaking in breakings),
        one_minimal=int((one_minimal & was_found).sum()),
        encodings=float(encodings.mean()),
        sensitivity=heat_map(falls),
        by_label=maps_by_label(search.pairs, numbers, falls),
    )
    return BreakingResult(
        outcome=outcome,
        numbers=numbers,
        masks=hidden.reshape(-1, search.grid, search.grid),
        shares=shares,
        ranks_before=ranks_before,
        ranks_after=ranks_after,
        falls=falls,
        encodings=encodings,
        one_minimal=one_minimal,
    )


def breaking_arrays(
    result: BreakingResult, pairs: Pairs
) -> dict[str, NDArray[np.int64]]:
    """What a saved run keeps of each image: its query key, the mask, and both ranks."""
    ids = [pairs.columns.image_ids[number] for number in result.numbers.tolist()]
    return {
        "image_query_key": keys_of(ids, secret_of(pairs)),
        "breaking_mask": result.masks.astype(np.uint8),
        "rank_before": result.ranks_before,
        "rank_after": result.ranks_after,
    }
