"""Which parts of an image a model leans on: maps of how far hiding a cell lowers a score."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..core.errors import DatasetError
from ..core.searches import HeatMap
from ..occluders.guided._greedy import search_falls
from ..occluders.guided._probe import Probe
from .abilities import is_labelled, label_names_of
from .named import Dataset, Model, as_dataset, as_model, check_kinds
from .pairs import Pairs
from .search import Search, check_numbers

FEWEST_LABELLED = 5
"""Images with a label, and without it, that a map of the label needs at least."""


def sensitivity_map(
    model: Model,
    dataset: Dataset,
    *,
    grid: int = 16,
    fill: str = "black",
    images: int = 100,
    limit: int | None = None,
    batch_size: int | None = None,
    label: str | None = None,
) -> HeatMap:
    """The mean fall of the right report's score when one cell of an image is hidden.

    This is the occlusion map of arXiv 1311.2901. It costs `grid * grid + 1` encodings
    per image. Any fill is a picture of something too: grey over a clear lung looks like
    fluid. The map of a label is therefore a difference, that of images with the label
    less that of images without: where the model loses more because the finding is there.

    Args:
        model: A loaded model, or the name or locator of one.
        dataset: An opened data set, or a name, with parameters in parentheses. All of
            its reports are the gallery.
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
    # What can be refused is refused before a model is loaded.
    check_kinds(model, dataset)
    check_numbers(grid, images, limit, batch_size)
    opened = as_dataset(dataset)
    loaded = as_model(model)
    search = Search(
        loaded, opened, grid, fill, images, limit=limit, batch_size=batch_size
    )
    if label is None:
        return _map_of(search, search.pairs)
    having, lacking = _split(search.pairs, label)
    return _map_of(search, having).minus(_map_of(search, lacking))


def _map_of(search: Search, pairs: Pairs) -> HeatMap:
    def falls_of(probe: Probe) -> list[NDArray[np.float64]]:
        return probe.run([search_falls(search.cells) for _ in probe.scene.ids])

    falls = np.concatenate(search.results(pairs, falls_of))
    return heat_map(falls.reshape(-1, search.grid, search.grid))


def _split(pairs: Pairs, label: str) -> tuple[Pairs, Pairs]:
    """The images with a label and those without, each among all reports."""
    dataset = pairs.dataset
    names = label_names_of(dataset)
    if not is_labelled(dataset) or label not in names:
        choices = ", ".join(names) or "it has none"
        raise DatasetError(
            f"Expected a label of {pairs.dataset.name} ({choices}), got label={label!r}."
            " Choose one of them."
        )
    has_label = dataset.label_matrix[pairs.images, names.index(label)]
    if has_label.all() or not has_label.any():
        raise DatasetError(
            f"Expected images with and without the label, got {int(has_label.sum())} of"
            f" {len(has_label)} of {pairs.dataset.name} with label={label!r}. Choose"
            " another label."
        )
    # The gallery stays whole, so that the two maps differ in their images alone.
    having = Pairs(pairs.dataset, pairs.images[has_label], pairs.reports)
    lacking = Pairs(pairs.dataset, pairs.images[~has_label], pairs.reports)
    return having, lacking


def heat_map(falls: NDArray[np.float64]) -> HeatMap:
    """The mean of (N, G, G) falls over the images."""
    means = falls.mean(axis=0).tolist()
    return HeatMap(len(falls), tuple(tuple(row) for row in means))


def maps_by_label(
    pairs: Pairs, numbers: NDArray[np.int64], falls: NDArray[np.float64]
) -> dict[str, HeatMap]:
    """The map of each label that enough of the searched images have, and enough lack.

    `numbers`, (N,), are the images' numbers in the data set; `falls` is (N, G, G).
    """
    dataset = pairs.dataset
    if not is_labelled(dataset):
        return {}
    matrix = dataset.label_matrix[numbers]
    most = len(numbers) - FEWEST_LABELLED
    maps = {}
    for column, name in enumerate(label_names_of(dataset)):
        has_label = matrix[:, column]
        if FEWEST_LABELLED <= has_label.sum() <= most:
            without = heat_map(falls[~has_label])
            maps[name] = heat_map(falls[has_label]).minus(without)
    return maps
