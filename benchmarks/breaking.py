"""What a search for the smallest breaking occlusion costs, and how near it comes:
`python -m benchmarks.breaking`.

For each embedded encoder of radiographs: encodings an image on a grid of 16; then, on a
grid of 4, what is found beside the fewest cells that trying every set finds.
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
IMAGES, EXHAUSTIVE = 100, 12


def main() -> None:
    """Print a line for each model and grid."""
    data = load_dataset("synthetic-cxr")
    for name in MODELS:
        model = load_model(name, device="cpu")
        result = find_breaking(model, data, images=IMAGES)
        outcome = result.outcome
        print(
            f"{name}: {IMAGES} images, 16 x 16: {outcome.encodings:.0f} encodings an"
            f" image, at most {result.encodings.max()}; median {outcome.quantile(0.5)},"
            f" 5 % quantile {outcome.quantile(0.05)}; {outcome.one_minimal} one-minimal"
            f" of {len(outcome.shares)} found",
            flush=True,
        )
        for fill in ("black", "mean"):
            found = find_breaking(
                model, data, images=EXHAUSTIVE, grid=4, fill=fill, budget=800
            )
            cells = [int(mask.sum()) for mask in found.masks]
            exact = fewest(model, fill)
            same = sum(a == b for a, b in zip(cells, exact, strict=True))
            print(
                f"  4 x 4, {fill}: the fewest in {same} of {EXHAUSTIVE}; found {cells},"
                f" fewest {exact}",
                flush=True,
            )


def fewest(model: DualEncoder, fill: str) -> list[int]:
    """By trying every set of cells, the small ones first."""
    pairs = pairs_of(load_dataset("synthetic-cxr"))
    probe = Probe(
        next(sampled_images(setting_of(model, pairs), model, pairs, EXHAUSTIVE)),
        4,
        fill,
        10,
    )
    return [_fewest(probe, image) for image in range(EXHAUSTIVE)]


def _fewest(probe: Probe, image: int) -> int:
    nothing = np.zeros((1, probe.grid**2), dtype=np.bool_)
    if probe._ask(np.array([image]), nothing).margin[0] < -1e-5:
        return 0
    for size in range(1, probe.grid**2 + 1):
        sets = np.array(
            list(combinations(range(probe.grid**2), size)), dtype=np.int64
        ).reshape(-1, size)
        versions = np.zeros((len(sets), probe.grid**2), dtype=np.bool_)
        versions[np.arange(len(sets))[:, None], sets] = True
        if (probe._ask(np.full(len(versions), image), versions).margin < -1e-5).any():
            return size
    return probe.grid**2


if __name__ == "__main__":
    main()
