"""What a data set holds, in words and numbers, before any GPU hour is spent.

Only counts are shown, no text and no id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import comb
from typing import TYPE_CHECKING

import numpy as np

from ..core.words import counted
from ..models import truncated_by
from .abilities import counts_of
from .image_checks import ImageCheck, problem_lines
from .pairs import Pairs, ceiling, duplicate_share, pairs_of
from .same_texts import SameTexts
from .strata_lines import strata_lines, strata_warnings
from .sweep.scores import scores_of

if TYPE_CHECKING:
    from ..datasets import RetrievalDataset
    from ..models import DualEncoder

_KS = (1, 5, 10)


def inspect(
    dataset: RetrievalDataset, *, model: DualEncoder | None = None
) -> Iterator[str]:
    """Lines about a data set: counts, choices, text lengths, duplicates, ceilings.

    With `model` also how many reports its context length cuts.
    """
    yield (
        f"{dataset.name}: split {dataset.split}, text {dataset.text}, relevance"
        f" {dataset.relevance}"
    )
    for name, count in counts_of(dataset).items():
        yield f"  {name}: {count}"
    yield (
        f"  evaluated: {counted(len(dataset.image_ids), 'image')},"
        f" {counted(len(set(dataset.patients)), 'patient')}"
    )
    groups = set(dataset.report_groups.tolist())
    yield f"  gallery: {counted(len(dataset.reports), 'report')} in {counted(len(groups), 'group')}"
    yield f"  fingerprint: {dataset.fingerprint}"
    pairs = pairs_of(dataset)
    yield from strata_lines(pairs.strata)
    for sentence in strata_warnings(dataset.name, pairs.strata):
        yield f"  note: {sentence}"
    yield from _text_lines(pairs)
    yield from _recall_lines(pairs)
    if model is not None:
        yield _truncation_line(dataset, model)


def _text_lines(pairs: Pairs) -> Iterator[str]:
    lengths = sorted(len(text.split()) for text in pairs.texts)
    last = len(lengths) - 1
    quartiles = [str(lengths[round(share * last)]) for share in (0, 0.25, 0.5, 0.75, 1)]
    yield f"  words per report (min, p25, median, p75, max): {', '.join(quartiles)}"
    different = pairs.same_texts.different
    repeated = 100 * duplicate_share(pairs)
    yield f"  different texts: {different} ({repeated:.1f} % repeat an earlier text)"


def _recall_lines(pairs: Pairs) -> Iterator[str]:
    smallest = min(len(pairs.images), len(pairs.reports))
    ks = [k for k in _KS if k <= smallest]
    # Chance does not depend on the ranks, so any will do.
    ranks = np.ones(len(pairs.images), dtype=np.int64)
    scores = scores_of(ranks, pairs.image_groups, pairs.report_groups, ks)
    fair = fair_ceiling(
        pairs.texts, pairs.report_groups.tolist(), ks, pairs.image_groups.tolist()
    )
    measured = _percent(ceiling(pairs, ks), ks)
    yield "  image-to-report Recall@k in %:"
    yield f"    chance: {_percent(scores.chance, ks)}"
    yield f"    ceiling, ties against the model (as measured): {measured}"
    yield f"    ceiling, ties broken at random: {_percent(fair, ks)}"


def fair_ceiling(
    texts: Sequence[str],
    groups: Sequence[int],
    ks: Sequence[int],
    image_groups: Sequence[int] | None = None,
) -> dict[int, float]:
    """The Recall@k that a perfect encoder is expected to reach if ties are broken at random.

    Of n reports with the same text of which g are right, the first right one is within
    k with probability 1 - C(n - g, k) / C(n, k). For an image the encoder puts the text
    first for which this is greatest. The mean is over images, whose groups are
    `image_groups`; without them each report is an image's own.
    """
    same_texts = SameTexts.of(texts, np.array(groups))
    queries = groups if image_groups is None else image_groups
    # An image without a right report counts as missed.
    answered = same_texts.numbers_of(np.array(queries))
    # Few numbers of equal texts occur, so that few chances are computed.
    occurring = np.stack([same_texts.same, same_texts.wrong], axis=1)
    kinds, kind_of = np.unique(occurring, axis=0, return_inverse=True)
    ceilings = {}
    for k in ks:
        chances = [_chance_within(k, same, wrong) for same, wrong in kinds.tolist()]
        best = np.zeros(len(same_texts.groups))
        np.maximum.at(best, same_texts.group_numbers, np.array(chances)[kind_of])
        ceilings[k] = sum(best[answered].tolist()) / len(queries)
    return ceilings


def _chance_within(k: int, same: int, wrong: int) -> float:
    """That of `same` equal texts in random order one that is not wrong is among the first k."""
    return 1 - comb(wrong, k) / comb(same, k) if k < same else 1.0


def _percent(recall: Mapping[int, float], ks: Sequence[int]) -> str:
    return ", ".join(f"@{k} {100 * recall[k]:.1f}" for k in ks)


def missing_images(dataset: RetrievalDataset) -> ImageCheck:
    """What can be known of images without opening one: whose files are not there."""
    from ..datasets._files.report_dataset import ReportDataset

    if not isinstance(dataset, ReportDataset):
        return ImageCheck((), 0)
    rows = [dataset.rows[number].row for number in dataset.missing_images()]
    problems = [f"missing: no file of the image in row {row}" for row in rows]
    return ImageCheck(tuple(problem_lines(problems)), len(rows))


def _truncation_line(dataset: RetrievalDataset, model: DualEncoder) -> str:
    cut = truncated_by(model, list(dataset.reports))
    if cut is None:
        return f"  {model.name} does not say how many reports it cuts"
    share = 100 * cut / len(dataset.reports)
    longer = counted(cut, "report is", "reports are")
    return (
        f"  {model.name} reads {model.card.context_length} tokens: {longer} longer"
        f" ({share:.1f} %)"
    )
