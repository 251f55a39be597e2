"""What a data set holds, in words and numbers, before any GPU hour is spent: counts
alone, no text and no id.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.errors import RobustError, UnreadableImageError
from ..datasets._pixels.deep_grey import USED_BITS
from ..occluders._scene import open_image
from .pairs import ceiling, duplicate_share, pairs_of
from .sweep.feed import picture_digest
from .sweep.scores import scores_of

if TYPE_CHECKING:
    from ..datasets import RetrievalDataset
    from ..models import DualEncoder

_KS = (1, 5, 10)


def inspect(
    dataset: RetrievalDataset, *, model: DualEncoder | None = None
) -> Iterator[str]:
    """Lines that say what was found: counts, choices, text lengths, duplicates,
    ceilings; with `model` the reports that its context cuts.
    """
    yield (
        f"{dataset.name}: split {dataset.split}, text {dataset.text}, relevance"
        f" {dataset.relevance}"
    )
    for key, count in getattr(dataset, "counts", {}).items():
        yield f"  {key}: {count}"
    yield (
        f"  evaluated: {len(dataset.image_ids)} images, {len(set(dataset.patients))}"
        " patients"
    )
    yield (
        f"  gallery: {len(dataset.reports)} reports in"
        f" {len(set(dataset.report_groups.tolist()))} groups"
    )
    yield f"  fingerprint: {dataset.fingerprint}"
    yield from _texts(dataset)
    yield from _scores(dataset)
    if model is not None:
        yield _truncation(dataset, model)


def _texts(dataset: RetrievalDataset) -> Iterator[str]:
    lengths = sorted(len(text.split()) for text in dataset.reports)
    quarters = [
        lengths[min(len(lengths) - 1, round(part * (len(lengths) - 1)))]
        for part in (0, 0.25, 0.5, 0.75, 1)
    ]
    yield (
        "  words per report (min, p25, median, p75, max):"
        f" {', '.join(map(str, quarters))}"
    )
    different = len(set(dataset.reports))
    share = 100 * duplicate_share(pairs_of(dataset))
    yield (
        f"  different texts: {different} ({share:.1f} % are texts that were there"
        " before)"
    )


def _scores(dataset: RetrievalDataset) -> Iterator[str]:
    pairs = pairs_of(dataset)
    ks = [k for k in _KS if k <= min(len(dataset.image_ids), len(dataset.reports))]
    import numpy as np

    first = scores_of(
        np.ones(len(pairs.images), dtype=np.int64),
        pairs.image_groups,
        pairs.report_groups,
        ks,
    )
    best = ceiling(pairs, ks)
    fair = fair_ceiling(
        pairs.texts, pairs.report_groups.tolist(), ks, pairs.image_groups.tolist()
    )
    yield "  image-to-report Recall@k in %:"
    yield f"    chance: {_percent(first.chance, ks)}"
    yield f"    ceiling, ties against the model (as measured): {_percent(best, ks)}"
    yield f"    ceiling, ties broken at random: {_percent(fair, ks)}"


def fair_ceiling(
    texts: Sequence[str],
    groups: Sequence[int],
    ks: Sequence[int],
    image_groups: Sequence[int] | None = None,
) -> dict[int, float]:
    """The Recall@k that a perfect encoder is expected to reach when identical texts are
    ranked at random.

    Of n reports with the same text of which g are right, the first right one is within
    k with probability 1 - C(n - g, k) / C(n, k). The encoder puts that text of an image
    first which makes it greatest. The mean is over images, whose groups are
    `image_groups`; without them each report is an image's own.
    """
    from math import comb

    same, right = Counter(texts), Counter(zip(texts, groups, strict=True))
    best: dict[tuple[int, int], float] = {}
    for text, group in set(zip(texts, groups, strict=True)):
        n, g = same[text], right[text, group]
        for k in ks:
            reached = 1 - comb(n - g, k) / comb(n, k) if k < n else 1.0
            best[group, k] = max(reached, best.get((group, k), 0.0))
    queries = groups if image_groups is None else image_groups
    return {
        k: sum(best.get((group, k), 0.0) for group in queries) / len(queries)
        for k in ks
    }


def _percent(values: Mapping[int, float], ks: Sequence[int]) -> str:
    return ", ".join(f"@{k} {100 * values[k]:.1f}" for k in ks)


def _truncation(dataset: RetrievalDataset, model: DualEncoder) -> str:
    count = getattr(model, "truncated", None)
    if count is None:
        return f"  {model.name} does not say how many reports it cuts"
    cut = int(count(list(dataset.reports)))
    share = 100 * cut / len(dataset.reports)
    return (
        f"  {model.name} reads {model.card.context_length} tokens: {cut} reports are"
        f" longer ({share:.1f} %)"
    )


@dataclass(frozen=True)
class ImageCheck:
    """What decoding every image showed."""

    lines: Sequence[str]
    unreadable: int
    """Images that are broken, missing or refused."""


def check_images(dataset: RetrievalDataset) -> ImageCheck:
    """Decode every image: which modes there are, which rows are broken or missing, and
    which pictures repeat.
    """
    from concurrent.futures import ThreadPoolExecutor

    def look(index: int) -> _Seen:
        try:
            image = open_image(dataset, index, f"image number {index}")
        except UnreadableImageError as error:
            return _Seen(problem=f"broken: {error}")
        except RobustError as error:
            return _Seen(problem=f"refused: {error}")
        digest = picture_digest(image)
        return _Seen(image.mode, digest, image.info.get(USED_BITS))

    with ThreadPoolExecutor() as pool:
        seen = list(pool.map(look, range(len(dataset.image_ids))))
    problems = [one.problem for one in seen if one.problem]
    return ImageCheck(tuple(_of_images(seen, problems)), len(problems))


@dataclass(frozen=True)
class _Seen:
    """What one image showed."""

    mode: str = ""
    digest: bytes = b""
    used_bits: int | None = None
    problem: str = ""


def _of_images(seen: Sequence[_Seen], problems: Sequence[str]) -> Iterator[str]:
    for mode, count in sorted(
        Counter(one.mode for one in seen if not one.problem).items()
    ):
        yield f"  {mode} images: {count}"
    for problem, count in sorted(Counter(problems).items()):
        yield f"  {problem}" if count == 1 else f"  {problem} ({count} images)"
    same = [
        count
        for count in Counter(one.digest for one in seen if not one.problem).values()
        if count > 1
    ]
    if same:
        yield (
            f"  images that are there more than once, pixel for pixel: {sum(same)} of"
            f" {len(same)} pictures"
        )
    used_bits = [one.used_bits for one in seen if one.used_bits is not None]
    if used_bits and max(used_bits) < 16:
        yield (
            f"  16-bit images use {max(used_bits)} bits at most, so that none is"
            f" brighter than {100 * 2 ** max(used_bits) / 65536:.0f} % of white:"
            f" bits={max(used_bits)} shows them in full"
        )
