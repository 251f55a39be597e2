"""The smallest occlusion that breaks a model, and which parts of an image it leans on.

For an image whose right report is among a model's k best, the *breaking share* is the
smallest share of the image whose hiding pushes it out. The search is greedy, so what it
finds is an upper bound on the smallest, and called that. Its first step hides every
cell alone: the mean fall of the right report's score is the *sensitivity map*.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..core.errors import DatasetError, OcclusionError
from ..core.progress import Counter, Tell
from ..core.searches import BreakingOutcome, HeatMap
from ..occluders._checks import check_whole
from ..occluders._scene import batch_size as usual_batch
from ..occluders.fills import check_fill
from ..occluders.guided._greedy import Breaking, search_breaking, search_falls
from ..occluders.guided._probe import Probe
from ..retrieval.ranking import positive_ranks
from .arguments import check_dataset, check_model, check_optional_whole
from .batches import sampled_images, setting_of
from .pairs import Pairs, pairs_of
from .query_keys import secret_of
from .sweep.scores import in_tiles

if TYPE_CHECKING:
    from ..datasets import RetrievalDataset
    from ..models import DualEncoder

BUDGET = 800
"""Encodings of an image that a search usually takes at most."""
FEWEST_LABELLED = 5
"""A label has a map of its own from so many images on."""


def usual_budget(grid: int) -> int:
    """Encodings an image for a grid: 12 a cell, within the `BUDGET` unless that is
    fewer than a search needs.
    """
    return max(3 * grid**2, min(BUDGET, 12 * grid**2))


@dataclass(frozen=True, eq=False, repr=False)
class BreakingResult:
    """What a search found in N images of a data set, in the order of `numbers`."""

    outcome: BreakingOutcome
    numbers: NDArray[np.int64]
    """(N,) the images' numbers in the data set."""
    masks: NDArray[np.bool_]
    """(N, G, G) the breaking occlusions: nothing hidden where the right report is not
    found to begin with.
    """
    shares: NDArray[np.float64]
    """(N,) the share of the image that each hides: an upper bound on the smallest; NaN
    where there is nothing to break. 1 where nothing that was tried broke it.
    """
    ranks_before: NDArray[np.int64]
    """(N,) the right report's rank with nothing hidden, exact, from 1."""
    ranks_after: NDArray[np.int64]
    """(N,) its rank under the mask."""
    falls: NDArray[np.float64]
    """(N, G, G) by how much the right report's score falls when one cell is hidden."""
    encodings: NDArray[np.int64]
    """(N,) hidden versions that the model was asked about."""
    one_minimal: NDArray[np.bool_]
    """(N,) whether giving back any one hidden cell was seen to bring the right report back."""

    def __repr__(self) -> str:
        return f"<BreakingResult of {self.outcome!r}>"


def find_breaking(
    model: DualEncoder,
    dataset: RetrievalDataset,
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
        model: A loaded model. dataset: An opened data set; all of its reports are the
        gallery. k: The right report counts as found among the k best. grid: Cells along
        each side of the source image, 2 to 256. fill: What hides: one of `fills.FILLS`.
        images: How many images, chosen by their ids alone. budget: Encodings an image
        at most, at least three a cell; None for `usual_budget(grid)`, 800 for a grid of
        16.
            With fewer, a result is worse, never wrong.
        limit: Only the first so many images of the data set, with their reports.
        batch_size: Hidden versions that are encoded at a time. tell: Called with the
        progress after each batch. Its total is the most that the search may take.

    Raises:
        OcclusionError: An argument is out of range.
        DatasetError: No image can be read.
    """
    check_model(model)
    check_dataset(dataset)
    check_optional_whole("limit", limit)
    check_optional_whole("batch_size", batch_size)
    check_optional_whole("budget", budget)
    _check(grid, fill, images, k)
    budget = usual_budget(grid) if budget is None else budget
    if budget < 3 * grid * grid:
        raise OcclusionError(
            f"Expected a budget of at least three encodings a cell, got budget={budget}"
            f" for grid={grid}. Give {3 * grid * grid} or more, or use fewer cells."
        )
    pairs = pairs_of(dataset, limit)
    counter = Counter(
        model.name, dataset.name, min(images, len(pairs.images)) * budget, tell
    )
    parts = []
    try:
        for probe in _probes(model, pairs, k, grid, fill, images, batch_size):
            probe = replace(probe, tell=partial(counter.add, None, encoded=True))
            found = probe.run(
                [search_breaking(grid * grid, budget) for _ in probe.scene.ids]
            )
            parts.append(_searched(probe, found))
    finally:
        counter.close()
    return _result(model, pairs, parts, k, grid, fill, budget)


def sensitivity_map(
    model: DualEncoder,
    dataset: RetrievalDataset,
    *,
    grid: int = 16,
    fill: str = "black",
    images: int = 100,
    limit: int | None = None,
    batch_size: int | None = None,
    label: str | None = None,
) -> HeatMap:
    """The mean fall of the right report's score when each cell of an image alone is
    hidden (arXiv 1311.2901).

    It costs `grid * grid + 1` encodings an image. Any fill is a picture of something
    too: grey over a clear lung looks like fluid. The map of a label is therefore a
    difference, that of images with the label less that of images without: where the
    model loses more because the finding is there.

    Args:
        model: A loaded model.
        dataset: An opened data set; all of its reports are the gallery.
        grid: Cells along each side of the source image, 2 to 256.
        fill: What hides: one of `fills.FILLS`.
        images: How many images, chosen by their ids alone.
        limit: Only the first so many images of the data set, with their reports.
        batch_size: Hidden versions that are encoded at a time.
        label: One of the data set's `label_names`: `images` with it, and as many without.

    Raises:
        OcclusionError: An argument is out of range.
        DatasetError: No image can be read, or none has the label, or all have it.
    """
    check_model(model)
    check_dataset(dataset)
    check_optional_whole("limit", limit)
    check_optional_whole("batch_size", batch_size)
    _check(grid, fill, images, 1)
    pairs = pairs_of(dataset, limit)

    def map_of(chosen: Pairs) -> HeatMap:
        probes = _probes(model, chosen, 1, grid, fill, images, batch_size)
        found = [
            fall
            for probe in probes
            for fall in probe.run([search_falls(grid * grid) for _ in probe.scene.ids])
        ]
        return _heat_map(np.stack(found).reshape(-1, grid, grid))

    if label is None:
        return map_of(pairs)
    having, lacking = _split(pairs, label)
    return map_of(having).minus(map_of(lacking))


def _check(grid: int, fill: str, images: int, k: int) -> None:
    check_whole("grid", grid, 2, 256)
    check_fill(fill)
    check_whole("images", images, 1)
    check_whole("k", k, 1)


def _split(pairs: Pairs, label: str) -> tuple[Pairs, Pairs]:
    """The images with a label and those without, each among all reports."""
    names = label_names_of(pairs.dataset)
    if label not in names:
        raise DatasetError(
            f"Expected a label of {pairs.dataset.name}"
            f" ({', '.join(names) or 'it has none'}), got label={label!r}. Choose one"
            " of them."
        )
    has = pairs.dataset.label_matrix[pairs.images, names.index(label)]  # type: ignore[attr-defined]
    if has.all() or not has.any():
        raise DatasetError(
            f"Expected images with and without the label, got {int(has.sum())} of"
            f" {len(has)} of {pairs.dataset.name} with label={label!r}. Choose another"
            " label."
        )
    having, lacking = (
        Pairs(pairs.dataset, pairs.images[which], pairs.reports)
        for which in (has, ~has)
    )
    return having, lacking


def label_names_of(dataset: RetrievalDataset) -> tuple[str, ...]:
    """The data set's labels; none where it has no table of them."""
    try:
        return tuple(getattr(dataset, "label_names", ()))
    except DatasetError:
        return ()


def _probes(
    model: DualEncoder,
    pairs: Pairs,
    k: int,
    grid: int,
    fill: str,
    images: int,
    batch_size: int | None,
) -> Iterator[Probe]:
    """The searched images, a part of them at a time; `DatasetError` where none can be read."""
    count = 0
    for scene in sampled_images(setting_of(model, pairs), model, pairs, images):
        count += len(scene.ids)
        yield Probe(scene, grid, fill, k, batch=batch_size or usual_batch(model.device))
    if count == 0:
        raise DatasetError(
            f"Expected images that can be read in {pairs.dataset.name}, got none. Fix"
            " its files or its root."
        )


@dataclass(frozen=True, eq=False, repr=False)
class _Searched:
    """What was found in a part of the images, with their exact ranks before and after."""

    numbers: Sequence[int]
    found: Sequence[Breaking]
    before: NDArray[np.int64]
    after: NDArray[np.int64]


def _searched(probe: Probe, found: Sequence[Breaking]) -> _Searched:
    hidden = np.stack([one.cells for one in found])
    return _Searched(
        probe.scene.numbers,
        found,
        _ranks(probe, np.zeros_like(hidden)),
        _ranks(probe, hidden),
    )


def _result(
    model: DualEncoder,
    pairs: Pairs,
    parts: Sequence[_Searched],
    k: int,
    grid: int,
    fill: str,
    budget: int,
) -> BreakingResult:
    found = [one for part in parts for one in part.found]
    before, after = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("before", "after")
    )
    hidden = np.stack([one.cells for one in found])
    was_found = before <= k
    shares = np.where(was_found, hidden.mean(axis=1), np.nan)
    numbers = np.array(
        [number for part in parts for number in part.numbers], dtype=np.int64
    )
    falls = np.stack([one.falls for one in found]).reshape(-1, grid, grid)
    one_minimal = np.array([one.one_minimal for one in found], dtype=np.bool_)
    encodings = np.array([one.encodings for one in found], dtype=np.int64)
    outcome = BreakingOutcome(
        model=model.name,
        dataset=pairs.dataset.name,
        k=k,
        grid=grid,
        fill=fill,
        budget=budget,
        images=len(found),
        shares=tuple(sorted(float(share) for share in shares[was_found])),
        unbroken=sum(not one.broken for one in found),
        one_minimal=int((one_minimal & was_found).sum()),
        encodings=float(encodings.mean()),
        sensitivity=_heat_map(falls),
        by_label=_by_label(pairs, numbers, falls),
    )
    return BreakingResult(
        outcome=outcome,
        numbers=numbers,
        masks=hidden.reshape(-1, grid, grid),
        shares=shares,
        ranks_before=before,
        ranks_after=after,
        falls=falls,
        encodings=encodings,
        one_minimal=one_minimal,
    )


def _ranks(probe: Probe, hidden: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The exact rank of each image's right report with these cells hidden."""
    setting, model = probe.scene.setting, probe.scene.setting.encoder
    rows = probe.encode(np.arange(len(hidden)), hidden)
    groups = probe.scene.groups, setting.report_groups
    scorer = getattr(model, "similarity", None)

    def rank(device: str, tile: int) -> NDArray[np.int64]:
        return positive_ranks(
            rows.to(device),
            setting.reports.to(device),
            *groups,
            similarity=scorer,
            tile=tile,
        )

    return in_tiles(model, rank)


def _heat_map(falls: NDArray[np.float64]) -> HeatMap:
    return HeatMap(
        len(falls),
        tuple(tuple(float(fall) for fall in row) for row in falls.mean(axis=0)),
    )


def _by_label(
    pairs: Pairs, numbers: NDArray[np.int64], falls: NDArray[np.float64]
) -> dict[str, HeatMap]:
    """A map for each label that enough of the images have, and enough lack: the
    difference of the two.
    """
    names = label_names_of(pairs.dataset)
    if not names:
        return {}
    matrix = pairs.dataset.label_matrix[numbers]  # type: ignore[attr-defined]
    columns = {name: matrix[:, column] for column, name in enumerate(names)}
    return {
        name: _heat_map(falls[has]).minus(_heat_map(falls[~has]))
        for name, has in columns.items()
        if FEWEST_LABELLED <= has.sum() <= len(has) - FEWEST_LABELLED
    }


def breaking_arrays(
    result: BreakingResult, pairs: Pairs
) -> dict[str, NDArray[np.int64]]:
    """What a saved run keeps of each image: its query key, the mask, and the ranks
    before and after.
    """
    from .query_keys import keys_of

    ids = [pairs.dataset.image_ids[number] for number in result.numbers]
    return {
        "image_query_key": keys_of(ids, secret_of(pairs)),
        "breaking_mask": result.masks.astype(np.uint8),
        "rank_before": result.ranks_before,
        "rank_after": result.ranks_after,
    }
