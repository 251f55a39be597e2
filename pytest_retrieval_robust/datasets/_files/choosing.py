"""From what a reader found to a data set: filters, texts and relevance, all counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from ...core.errors import DatasetError
from .choice import Choice
from .mask_folder import open_masks
from .paths import shown_path
from .records import ImageRow, Sections, SourceData
from .relevance import pair
from .report_dataset import ReportDataset, labels_of
from .stratify import Chosen, require_known, stratify
from .tables import first_column
from .text_policy import as_compared, policy


def choose(source: SourceData, choice: Choice) -> ReportDataset:
    """Apply the filters, take the texts and pair them.

    Every image that is left out is counted by its reason.
    """
    require_known(source, choice.strata)
    selection = _Selection(source, choice, list(source.images), dict(source.counts))
    selection.counts["images"] = len(selection.rows)
    selection.keep_view()
    selection.keep_subset()
    selection.keep_first_of_study()
    # Only now, with the studies that are left: reading reports takes the longest.
    studies = dict.fromkeys(row.study for row in selection.rows)
    reports = source.read_reports(studies)
    # Readers may count while they read.
    selection.counts.update(source.counts)
    texts = selection.keep_with_text(reports)
    rows = selection.rows
    counts = selection.counts

    labels = labels_of(source, rows) if choice.relevance == "same-labels" else None
    rows_studies = [row.study for row in rows]
    pairing = pair(choice.relevance, texts, rows_studies, labels, name=source.name)
    if pairing.joined:
        reason = "images that share some of their texts with images of other texts"
        counts[reason] = pairing.joined
    masks = None
    if choice.masks is not None:
        masks = open_masks(choice.masks, (row.id for row in rows), name=source.name)
    chosen = Chosen(source, rows, texts, pairing, choice.relevance)
    stratified = stratify(chosen, choice.strata)
    counts.update(stratified.counts)
    return ReportDataset(
        source,
        choice,
        rows,
        texts,
        pairing,
        counts,
        masks,
        stratified.stratifications,
    )


@dataclass(repr=False)
class _Selection:
    """The images that are left, and how many each filter has left out."""

    source: SourceData
    choice: Choice
    rows: list[ImageRow]
    counts: dict[str, int]

    def keep_view(self) -> None:
        views = Counter(row.view or "unknown" for row in self.rows)
        for view, count in sorted(views.items()):
            self.counts[f"view {view}"] = count
        if self.choice.view == "all":
            return
        rows = [row for row in self.rows if row.view == self.choice.view]
        self._keep(rows, "left out: other view")

    def keep_subset(self) -> None:
        subset = self.choice.subset
        if subset is None:
            return
        if not subset.is_file():
            raise DatasetError(
                "Expected a table of image ids, got no file at"
                f" subset={shown_path(subset)!r}. Fix the path."
            )
        ids = set(first_column(subset, "the subset's table"))
        rows = [row for row in self.rows if row.id in ids]
        # A list of ids that fits only in part is a list of another data set.
        if len(rows) < len(ids):
            raise DatasetError(
                "Expected every id of the subset's table among the images of"
                f" {self.source.name} (its split and view), got {len(ids) - len(rows)} of"
                f" {len(ids)} that are not. Write the list again with the same choices."
            )
        self._keep(rows, "left out: not in the subset")

    def keep_first_of_study(self) -> None:
        most = self.choice.images_per_study
        if most is None:
            return
        images_of: Counter[str] = Counter()
        rows = []
        for row in self.rows:
            images_of[row.study] += 1
            if images_of[row.study] <= most:
                rows.append(row)
        self._keep(rows, "left out: further images of a study")

    def keep_with_text(self, reports: Mapping[str, Sections]) -> list[tuple[str, ...]]:
        """Keep images with a text that is long enough; returns each one's texts."""
        policy_name = self.choice.text
        if self.source.texts_as_published and policy_name != "full":
            raise DatasetError(
                f"Expected text='full' for {self.source.name}, whose texts have no"
                f" sections, got text={policy_name!r}. Leave it out."
            )
        shortest = max(1, self.choice.minimum_length)
        texts_of: dict[str, tuple[str, ...]] = {}
        long_texts_of: dict[str, tuple[str, ...]] = {}
        for study, sections in reports.items():
            texts = _texts_of(sections, policy_name)
            texts_of[study] = texts
            long_texts_of[study] = tuple(t for t in texts if len(t) >= shortest)

        # The three reasons are disjoint: what is left out is counted once.
        without_report = sum(row.study not in texts_of for row in self.rows)
        without_text = sum(texts_of.get(row.study) == () for row in self.rows)
        rows = [row for row in self.rows if long_texts_of.get(row.study)]
        left_out = len(self.rows) - len(rows)
        self.counts["left out: no report"] = without_report
        self.counts[f"left out: empty {policy_name}"] = without_text
        if self.choice.minimum_length > 1:
            too_short = left_out - without_report - without_text
            self.counts["left out: short text"] = too_short
        self.rows = rows

        self.counts["studies"] = len({row.study for row in rows})
        captions = sum(len(long_texts_of[row.study]) for row in rows)
        if captions > len(rows):
            self.counts["captions"] = captions
        if not rows:
            raise self._nothing_left()
        return [long_texts_of[row.study] for row in rows]

    def _keep(self, rows: list[ImageRow], reason: str) -> None:
        self.counts[reason] = len(self.rows) - len(rows)
        self.rows = rows

    def _nothing_left(self) -> DatasetError:
        counts = ", ".join(f"{reason}={count}" for reason, count in self.counts.items())
        return DatasetError(
            f"Expected images with reports in {self.source.name}, got none: {counts}."
            f" Check split={self.source.split!r}, view={self.choice.view!r},"
            f" text={self.choice.text!r} and the paths."
        )


def _texts_of(sections: Sections, policy_name: str) -> tuple[str, ...]:
    """The texts of a report as they are compared, without blank ones."""
    texts: tuple[str, ...]
    if policy_name == "full" and sections.captions:
        texts = sections.captions
    else:
        texts = (policy(policy_name)(sections),)
    compared = (as_compared(text) for text in texts)
    return tuple(text for text in compared if text)
