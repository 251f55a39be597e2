"""Whether numbers of edited reports contradict each other in a saved run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...core.cases import Json
from ...core.counterfactual_outcomes import (
    ALL_KINDS,
    CounterfactualOutcome,
    DistractorRecall,
    WinShare,
    degrees_of_freedom,
)
from ...retrieval.intervals import proportion

_ROUNDING = 1e-9
_CONFIDENCE = 0.975
"""Of each end of an interval of 95 %."""


def counterfactual_contradictions(
    outcome: CounterfactualOutcome, dataset: Json, ks: Sequence[int]
) -> Iterator[tuple[str, str]]:
    """(what should be in the file, what is), for each contradiction."""
    subject = f"edited reports of {outcome.case}"
    kinds = [share.kind for share in outcome.kinds]
    if len(set(kinds)) < len(kinds) or ALL_KINDS in kinds:
        yield f"each kind of {subject} once", f"kinds={kinds}"
    if (outcome.overall is None) != (not outcome.kinds):
        yield f"a share over all kinds of {subject}", f"{len(kinds)} kinds beside it"
    if outcome.edited > outcome.reports or outcome.unseen > outcome.edits:
        yield (
            f"at most {outcome.reports} edited and {outcome.edits} unseen {subject}",
            f"edited={outcome.edited}, unseen={outcome.unseen}",
        )
    if outcome.reports != dataset["reports"]:
        yield (
            f"{dataset['reports']} reports in {subject}, as the data set has",
            f"{outcome.reports}",
        )
    shares = [*outcome.kinds]
    if outcome.overall is not None:
        shares.append(outcome.overall)
        yield from _of_sums(outcome, outcome.overall, subject)
    for share in shares:
        yield from _of_share(share, dataset["images"], subject)
    yield from _of_recall(outcome.with_distractors, dataset, ks, subject)


def _of_sums(
    outcome: CounterfactualOutcome, overall: WinShare, subject: str
) -> Iterator[tuple[str, str]]:
    """Every comparison is of one kind."""
    comparisons = sum(share.comparisons for share in outcome.kinds)
    if comparisons != overall.comparisons or overall.edits != outcome.edits:
        yield (
            f"{overall.comparisons} comparisons and {overall.edits} edits of {subject}",
            f"{comparisons} and {outcome.edits} in its kinds",
        )


def _of_share(share: WinShare, images: int, subject: str) -> Iterator[tuple[str, str]]:
    where = f"kind {share.kind!r} of {subject}"
    yield from _of_patients(share, share.images, where)
    counts_fit = 0 < share.images <= min(images, share.comparisons)
    if not counts_fit or not share.effective > 0:
        yield (
            f"from 1 to {images} images of {where}, and at least as many comparisons",
            f"images={share.images}, comparisons={share.comparisons},"
            f" effective={share.effective:g}",
        )
        return
    yield from _of_interval(
        share.share,
        share.images,
        share.effective,
        degrees_of_freedom(share),
        share.interval,
        where,
    )


def _of_patients(
    of: WinShare | DistractorRecall, images: int, where: str
) -> Iterator[tuple[str, str]]:
    """Both numbers of patients that repeat are there, or neither."""
    patients = of.patients
    degrees = of.degrees_of_freedom
    if patients is None and degrees is None:
        return
    if patients is None or degrees is None:
        yield (
            f"patients and degrees of freedom of {where}, or neither",
            f"patients={patients}, degrees_of_freedom={degrees}",
        )
        return
    # Rounding may lead a little beyond.
    is_possible = 0 <= degrees <= patients - 1 + _ROUNDING * patients
    if not is_possible or not patients < images:
        yield (
            f"fewer patients than the {images} images of {where}, and from 0 to one less"
            " degrees of freedom",
            f"patients={patients}, degrees_of_freedom={degrees:g}",
        )


def _of_interval(
    share: float,
    count: int,
    effective: float,
    df: float,
    interval: tuple[float, float],
    where: str,
) -> Iterator[tuple[str, str]]:
    """The interval is that of the share, so that no edit of a file goes unseen."""
    estimate = proportion(share, count, _CONFIDENCE, count / effective, df)
    low, high = interval
    if max(abs(estimate.low - low), abs(estimate.high - high)) > _ROUNDING:
        yield (
            f"the interval of {where} that its share has, {estimate.low:.6f} to"
            f" {estimate.high:.6f}",
            f"{low:.6f} to {high:.6f}",
        )


def _of_recall(
    recall: DistractorRecall, dataset: Json, ks: Sequence[int], subject: str
) -> Iterator[tuple[str, str]]:
    gallery = dataset["reports"] + recall.distractors
    if (recall.queries, recall.gallery) != (dataset["images"], gallery):
        yield (
            f"{dataset['images']} queries and a gallery of {gallery} in {subject}",
            f"queries={recall.queries}, gallery={recall.gallery}",
        )
        return
    yield from _of_patients(recall, recall.queries, subject)
    by_k = (
        recall.recall,
        recall.recall_interval,
        recall.without_edits,
        recall.chance,
        recall.effective,
    )
    if any(set(numbers) != set(ks) for numbers in by_k):
        yield f"numbers of {subject} for each k of the run's plan", "others"
        return
    for k in ks:
        where = f"Recall@{k} among the edits of {subject}"
        # What is added to a gallery moves no right report up.
        if recall.recall[k] > recall.without_edits[k] + _ROUNDING:
            yield (
                f"{where} of at most {recall.without_edits[k]:.6f}, as without edits",
                f"{recall.recall[k]:.6f}",
            )
        if not recall.effective[k] > 0:
            yield f"effective images of {where} above 0", f"{recall.effective[k]:g}"
            continue
        yield from _of_interval(
            recall.recall[k],
            recall.queries,
            recall.effective[k],
            degrees_of_freedom(recall),
            recall.recall_interval[k],
            where,
        )
