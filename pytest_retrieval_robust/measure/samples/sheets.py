"""Which images `--robust-show-samples` shows, their pictures, and what a model
retrieves for them.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ..core.cases import CLEAN, Cell
from ..core.errors import DatasetError, RobustError
from ..core.sample_sheets import Retrieved, Sample, SampleSheet
from ..occluders._probe import Probe
from ..occluders._scene import Scene, Setting, batch_size, encode, open_image
from ..retrieval.ranking import top_k
from .batches import scene_of
from .breaking import BreakingResult
from .embeddings.shards import ModelShards
from .pairs import Pairs, pairs_of
from .sweep.gallery import encode_gallery
from .sweep.scores import in_tiles

if TYPE_CHECKING:
    from torch import Tensor

    from ..datasets import RetrievalDataset
    from ..models import DualEncoder, Precision
    from ..occluders import Occluder
    from .embeddings.store import EmbeddingStore
    from .sweep.run import SweepResult

Ranks = NDArray[np.int64]
SIDE = 160
"""Pixels along each side of a picture at most: it is looked at, not diagnosed."""
RETRIEVED = 3
FALLEN = 3
_QUALITY = 75


@dataclass(frozen=True, eq=False, repr=False)
class Stage:
    """What samples are made with."""

    model: DualEncoder
    dataset: RetrievalDataset
    occluders: Mapping[str, Occluder]
    """In the order of the run."""
    precision: Precision
    batch_size: int | None
    limit: int | None
    store: EmbeddingStore | None

    def gallery(self, pairs: Pairs) -> Tensor:
        """(G, D) the embeddings of the pairs' reports, from the store where it has them."""
        shards = ModelShards.of(self.store, self.model, self.precision)
        size = self.batch_size or batch_size(self.model.device)
        return encode_gallery(self.model, pairs.texts, size, shards)


def sheet_of(found: SweepResult | BreakingResult, stage: Stage) -> SampleSheet | None:
    """Samples of what a sweep or a search found; None where a sweep hid nothing."""
    if isinstance(found, BreakingResult):
        pairs = pairs_of(stage.dataset, stage.limit)
        return breaking_sheet(stage.model, pairs, stage.gallery(pairs), found)
    measured = {
        cell: one
        for cell, one in found.cells.items()
        if not isinstance(one, RobustError)
    }
    cell = middle_level(list(measured), list(stage.occluders))
    if cell is None or CLEAN not in measured:
        return None
    before, after = (measured[one].image_ranks for one in (CLEAN, cell))
    occluder, pairs = stage.occluders[cell.occluder], found.pairs
    return hidden_sheet(
        stage.model, pairs, stage.gallery(pairs), occluder, cell, before, after
    )


def middle_level(cells: Sequence[Cell], occluders: Sequence[str]) -> Cell | None:
    """Of the first occluder and its first seed the middle level, the lower one of two;
    None where nothing is hidden.
    """
    hidden = [cell for cell in cells if cell.level > 0]
    if not hidden:
        return None
    name = min((cell.occluder for cell in hidden), key=list(occluders).index)
    seed = min(cell.seed for cell in hidden if cell.occluder == name)
    levels = sorted(
        cell.level for cell in hidden if (cell.occluder, cell.seed) == (name, seed)
    )
    return Cell(name, levels[(len(levels) - 1) // 2], seed)


def queries_to_show(before: Ranks, after: Ranks) -> dict[int, str]:
    """Places of queries, each with why it is shown: the same for the same ranks, the
    first in the data first of equals.

    At most three whose rank fell furthest, one that stayed first, and one with the
    median rank after hiding.
    """
    order = np.argsort(before - after, kind="stable")[:FALLEN]
    chosen = {
        int(place): "Fell furthest" for place in order if after[place] > before[place]
    }
    for place in np.flatnonzero((before == 1) & (after == 1))[:1]:
        chosen[int(place)] = "Stayed first"
    rising = np.argsort(after, kind="stable")
    for place in rising[(len(rising) - 1) // 2 :]:
        if int(place) not in chosen:
            chosen[int(place)] = "Typical"
            break
    return chosen


def hidden_sheet(
    model: DualEncoder,
    pairs: Pairs,
    reports: Tensor,
    occluder: Occluder,
    cell: Cell,
    before: Ranks,
    after: Ranks,
) -> SampleSheet:
    """Samples of a measured cell; `before` and `after`, (N,), are the ranks of the
    pairs' images.
    """
    chosen = queries_to_show(before, after)
    places = list(chosen)
    scene = _scene(model, pairs, reports, pairs.images[places])
    bound = occluder.bind(scene)
    hidden = bound.occlude(scene.pixels, scene.ids, cell.level, cell.seed, scene.frames)
    shares = bound.shares(scene.ids, cell.level, cell.seed)
    what = (
        f"{cell.occluder} at level {cell.level:g}, seed {cell.seed}: of the first"
        f" occluder the middle level. Of {len(before)} images at most {FALLEN} whose"
        " rank fell furthest, one that stayed first, and one with the median rank"
        " after hiding; of equals the first in the data."
    )
    samples = _samples(
        model,
        pairs,
        scene,
        hidden,
        list(chosen.values()),
        before[places],
        after[places],
        shares,
    )
    return _sheet(model, pairs, "hidden", what, samples)


def breaking_sheet(
    model: DualEncoder, pairs: Pairs, reports: Tensor, result: BreakingResult
) -> SampleSheet:
    """The smallest, the median and the greatest of the breaking occlusions that were
    found, and the images' mean.
    """
    outcome, shares = result.outcome, result.shares
    mean = mean_image(pairs.dataset, result.numbers.tolist())
    broken = np.flatnonzero(np.isfinite(shares) & (shares < 1))
    if not len(broken):
        what = (
            "No occlusion was found that pushes a right report out of the top"
            f" {outcome.k}."
        )
        return SampleSheet(
            model.name,
            pairs.dataset.name,
            "breaking",
            what,
            len(pairs.reports),
            (),
            mean,
        )
    rising = broken[np.argsort(shares[broken], kind="stable")]
    ends = (
        (rising[0], "The smallest"),
        (rising[(len(rising) - 1) // 2], "The median"),
        (rising[-1], "The greatest"),
    )
    chosen: dict[int, str] = {}
    for place, why in ends:
        chosen.setdefault(int(place), why)
    places = list(chosen)
    scene = _scene(model, pairs, reports, result.numbers[places])
    cells = result.masks[places].reshape(len(places), -1)
    hidden = Probe(scene, outcome.grid, outcome.fill, outcome.k).hidden(
        np.arange(len(places)), cells
    )
    what = (
        "The smallest occlusions found that push the right report out of the top"
        f" {outcome.k}, {outcome.grid} x {outcome.grid} cells, {outcome.fill}: of"
        f" {len(broken)} images the one that the smallest share breaks, the median, and"
        " the one that takes the greatest."
    )
    ranks = result.ranks_before[places], result.ranks_after[places]
    samples = _samples(
        model,
        pairs,
        scene,
        hidden,
        list(chosen.values()),
        *ranks,
        shares[places].tolist(),
    )
    return replace(_sheet(model, pairs, "breaking", what, samples), mean=mean)


def mean_image(dataset: RetrievalDataset, numbers: Sequence[int]) -> bytes:
    """The mean of these images, each as it lies on disk but made a square: the cells of
    a map divide it alike.
    """
    from PIL import Image

    total = np.zeros((SIDE, SIDE, 3))
    for number in numbers:
        whole = open_image(dataset, number, f"its image number {number}").convert("RGB")
        total += np.asarray(whole.resize((SIDE, SIDE), Image.Resampling.BOX))
    return _jpeg(np.rint(total / len(numbers)).astype(np.uint8))


def _sheet(
    model: DualEncoder,
    pairs: Pairs,
    kind: Literal["hidden", "breaking"],
    what: str,
    samples: tuple[Sample, ...],
) -> SampleSheet:
    return SampleSheet(
        model.name, pairs.dataset.name, kind, what, len(pairs.reports), samples
    )


def _scene(model: DualEncoder, pairs: Pairs, reports: Tensor, numbers: Ranks) -> Scene:
    setting = Setting(model, pairs.dataset, reports, pairs.report_groups)
    scene = scene_of(setting, model, pairs.dataset, numbers.tolist())
    if len(scene.ids) != len(numbers):
        raise DatasetError(
            f"Expected to read {len(numbers)} images of {pairs.dataset.name} again, got"
            f" {len(scene.ids)}."
        )
    return scene


def _samples(
    model: DualEncoder,
    pairs: Pairs,
    scene: Scene,
    hidden: Tensor,
    why: Sequence[str],
    before: Ranks,
    after: Ranks,
    shares: Sequence[float],
) -> tuple[Sample, ...]:
    found = [
        _retrieved(model, pairs, scene, pixels) for pixels in (scene.pixels, hidden)
    ]
    return tuple(
        Sample(
            why[place],
            int(before[place]),
            int(after[place]),
            float(shares[place]),
            picture(scene.pixels[place]),
            picture(hidden[place]),
            found[0][place],
            found[1][place],
        )
        for place in range(len(why))
    )


def _retrieved(
    model: DualEncoder, pairs: Pairs, scene: Scene, pixels: Tensor
) -> list[tuple[Retrieved, ...]]:
    """The reports that come first for each image."""
    reports = scene.setting.reports
    score = getattr(model, "similarity", None)
    rows, count = encode(model, pixels), min(RETRIEVED, len(reports))

    def find(device: str, tile: int) -> Ranks:
        return top_k(
            rows.to(device), reports.to(device), count, similarity=score, tile=tile
        )[0]

    best = in_tiles(model, find)
    texts, groups = pairs.texts, pairs.report_groups
    return [
        tuple(Retrieved(texts[place], bool(groups[place] == group)) for place in row)
        for row, group in zip(best.tolist(), scene.groups.tolist(), strict=True)
    ]


def picture(pixels: Tensor) -> bytes:
    """A small JPEG of an image, (3, H, W) on the 0..1 scale, which a resize may have overshot."""
    values = (
        pixels.detach()
        .float()
        .nan_to_num(0.0)
        .clamp(0, 1)
        .mul(255)
        .round()
        .byte()
        .permute(1, 2, 0)
        .cpu()
        .numpy()
    )
    return _jpeg(values)


def _jpeg(values: NDArray[np.uint8]) -> bytes:
    """(H, W, 3) as a small JPEG file, grey where it is grey."""
    from PIL import Image

    is_grey = bool((values == values[..., :1]).all())
    image = Image.fromarray(values[..., 0] if is_grey else values)
    image.thumbnail((SIDE, SIDE))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=_QUALITY, optimize=True)
    return stream.getvalue()
