"""What a search for the smallest breaking occlusion costs, and how near it comes.

`python -m benchmarks.breaking`

For each embedded encoder of radiographs: encodings per image on a grid of 16; then, on
a grid of 4, the cells of the search beside the fewest that trying every set finds.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from pytest_retrieval_robust import find_breaking, load_dataset, load_model
from pytest_retrieval_robust.measure.batches import sampled_images, setting_of
from pytest_retrieval_robust.measure.pairs import pairs_of
from pytest_retrieval_robust.models import DualEncoder
from pytest_retrieval_robust.occluders.guided._probe import Probe

MODELS = ("tiny-cxr-clip", "tiny-cxr-clip-robust", "tiny-cxr-openclip")
IMAGES = 100
EXHAUSTIVE = 12
"""Images for which every set is tried."""
BROKEN = -1e-5
"""A margin below this is a broken rank, whatever rounding does."""


def main() -> None:
    """Print a line for each model and grid."""
    data = load_dataset("synthetic-cxr")
    for name in MODELS:
        model = load_model(name, device="cpu")
        result = find_breaking(model, data, images=IMAGES)
        outcome = result.outcome
        print(
            f"{name}: {IMAGES} images, 16 x 16: {outcome.encodings:.0f} encodings per"
            f" image, at most {result.encodings.max()}; median {outcome.quantile(0.5)},"
            f" 5 % quantile {outcome.quantile(0.05)}; {outcome.one_minimal} one-minimal"
            f" of {len(outcome.shares)} found",
            flush=True,
        )
        for fill in ("black", "mean"):
            search = find_breaking(
                model, data, images=EXHAUSTIVE, grid=4, fill=fill, budget=800
            )
            cells = [int(mask.sum()) for mask in search.masks]
            exact = fewest(model, fill)
            same = sum(a == b for a, b in zip(cells, exact, strict=True))
            print(
                f"  4 x 4, {fill}: the fewest in {same} of {EXHAUSTIVE}; found {cells},"
                f" fewest {exact}",
                flush=True,
            )


def fewest(model: DualEncoder, fill: str) -> list[int]:
    """The fewest cells that break each image, by trying every set."""
    pairs = pairs_of(load_dataset("synthetic-cxr"))
    images = sampled_images(setting_of(model, pairs), model, pairs, EXHAUSTIVE)
    probe = Probe(next(images), 4, fill, 10)
    return [_fewest(probe, image) for image in range(EXHAUSTIVE)]


def _fewest(probe: Probe, image: int) -> int:
    cells = probe.grid**2
    nothing = np.zeros((1, cells), dtype=np.bool_)
    if probe._ask(np.array([image]), nothing).margin[0] < BROKEN:
        return 0
    # Small sets first: the first size that breaks is the fewest.
    for size in range(1, cells + 1):
        sets = np.array(list(combinations(range(cells), size)), dtype=np.int64)
        versions = np.zeros((len(sets), cells), dtype=np.bool_)
        versions[np.arange(len(sets))[:, None], sets] = True
        margins = probe._ask(np.full(len(versions), image), versions).margin
        if (margins < BROKEN).any():
            return size
    return cells


if __name__ == "__main__":
    main()
