"""The edits that count on a part of a data set, and their embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from ...core.counterfactuals import EditedReports, in_order_of_kinds
from ...core.errors import DatasetError
from ...core.words import counted
from ...retrieval.ranking import Duels
from ..sweep.gallery import encode_gallery
from ..sweep.space import IN_MEMORY, RowSpace

if TYPE_CHECKING:
    from torch import Tensor

    from ...models import DualEncoder
    from ..embeddings.shards import ModelShards
    from ..pairs import Pairs

_SAME_ROW = 1e-6
"""Rows that differ by less in every component are those of one text: batches round."""
_PIECE = 1024


@dataclass(frozen=True, eq=False, repr=False)
class CountedEdits:
    """The edits of the reports that are evaluated, each text once.

    An edit with the text of a right report of the same images is left out: it is not
    wrong.
    """

    source: str
    texts: Sequence[str]
    """(T,) different texts."""
    kinds: Sequence[str]
    """The kinds that occur, in their order."""
    text_numbers: NDArray[np.int64]
    """(E,) the place of each edit's text in `texts`."""
    kind_numbers: NDArray[np.int64]
    """(E,) the place of each edit's kind in `kinds`."""
    reports: NDArray[np.int64]
    """(E,) the number of each edit's report in the data set."""
    left_out: int

    @classmethod
    def of(cls, edited: EditedReports, pairs: Pairs) -> CountedEdits:
        """The edits that count on the pairs.

        Raises:
            DatasetError: An edit names a report that the data set does not have.
        """
        report_count = len(pairs.columns.reports)
        groups = pairs.columns.report_groups
        is_evaluated = np.zeros(report_count, dtype=np.bool_)
        is_evaluated[pairs.reports] = True
        right_texts = set(
            zip(pairs.report_groups.tolist(), pairs.texts, strict=True),
        )
        kept = []
        left_out = 0
        for edit in edited.edits:
            if not 0 <= edit.report < report_count:
                raise DatasetError(
                    f"Expected edits of the {counted(report_count, 'report')} of"
                    f" {pairs.dataset.name}, got one of report={edit.report}. Number"
                    " reports as the data set does, from 0."
                )
            if not is_evaluated[edit.report]:
                continue
            if (int(groups[edit.report]), edit.text) in right_texts:
                left_out += 1
            else:
                kept.append(edit)
        kinds = in_order_of_kinds(edit.kind for edit in kept)
        kind_places = {kind: place for place, kind in enumerate(kinds)}
        text_places: dict[str, int] = {}
        numbers = [text_places.setdefault(edit.text, len(text_places)) for edit in kept]
        return cls(
            source=edited.source,
            texts=tuple(text_places),
            kinds=tuple(kinds),
            text_numbers=np.array(numbers, dtype=np.int64),
            kind_numbers=np.array([kind_places[e.kind] for e in kept], dtype=np.int64),
            reports=np.array([edit.report for edit in kept], dtype=np.int64),
            left_out=left_out,
        )

    def __len__(self) -> int:
        return len(self.reports)


@dataclass(frozen=True, eq=False, repr=False)
class EncodedEdits:
    """The edits with a row for each."""

    edited: EditedReports
    counted: CountedEdits
    rows: Tensor
    """(E, D) on the model's device. The row of an unseen edit is its report's own."""
    is_unseen: NDArray[np.bool_]
    """(E,) edits that the model embeds as it does their report."""


def encode_edits(
    model: DualEncoder,
    pairs: Pairs,
    edited: EditedReports,
    reports: Tensor,
    batch_size: int,
    shards: ModelShards | None = None,
    space: RowSpace = IN_MEMORY,
) -> EncodedEdits:
    """Encode the edits that count on the pairs, each text once.

    Args:
        model: A loaded model.
        pairs: What is evaluated.
        edited: The edits of the data set's reports.
        reports: (G, D) the rows of the pairs' reports.
        batch_size: Texts that are encoded at a time.
        shards: What the embedding store has of the model: stored edits are not encoded.
        space: Where the rows lie on the host.

    Raises:
        EmbeddingError: An edit cannot be embedded.
        DatasetError: An edit names a report that the data set does not have.
    """
    edits = CountedEdits.of(edited, pairs)
    if not len(edits):
        return EncodedEdits(edited, edits, reports[:0], np.zeros(0, np.bool_))
    of_texts = encode_gallery(
        model, edits.texts, batch_size, shards, space, may_be_alike=True
    )
    own = _places(pairs, edits.reports)
    rows = space_for(len(edits), of_texts, space)
    is_unseen = np.zeros(len(edits), dtype=np.bool_)
    # Piece by piece: all edits together may not fit twice.
    for start in range(0, len(edits), _PIECE):
        part = slice(start, start + _PIECE)
        edit_rows = of_texts[_index(edits.text_numbers[part], of_texts)]
        report_rows = reports[_index(own[part], reports)]
        same = (edit_rows - report_rows).abs().amax(dim=1) < _SAME_ROW
        rows[part] = torch.where(same[:, None], report_rows, edit_rows)
        is_unseen[part] = same.cpu().numpy()
    return EncodedEdits(edited, edits, rows, is_unseen)


def space_for(count: int, like: Tensor, space: RowSpace) -> Tensor:
    """(count, D) to be filled, on the device of the rows `like`."""
    shape = (count, like.shape[1])
    if like.device.type != "cpu":
        return torch.empty(shape, dtype=like.dtype, device=like.device)
    return torch.from_numpy(space.empty(shape, np.float32))


@dataclass(frozen=True, eq=False, repr=False)
class Comparisons:
    """Every pair of an image and an edit of one of its right reports."""

    duels: Duels
    """Places of the images, of their right reports, and of the edits."""
    edits: NDArray[np.int64]
    """(E,) which of the encoded edits take part, once each: those of remaining reports."""
    kind_numbers: NDArray[np.int64]
    """(P,) the kind of each comparison."""

    @classmethod
    def of(cls, encoded: EncodedEdits, pairs: Pairs) -> Comparisons:
        """Those of the pairs, which may lack images and reports that were encoded."""
        edits = encoded.counted
        # 1. The edits of the remaining reports.
        remain = np.flatnonzero(np.isin(edits.reports, pairs.reports))
        places = _places(pairs, edits.reports[remain])
        # 2. The images of each of them, by groups.
        order = np.argsort(pairs.image_groups, kind="stable")
        sorted_groups = pairs.image_groups[order]
        edit_groups = pairs.report_groups[places]
        first = np.searchsorted(sorted_groups, edit_groups, side="left")
        last = np.searchsorted(sorted_groups, edit_groups, side="right")
        counts = last - first
        edit_index = np.repeat(np.arange(len(remain)), counts)
        starts = np.repeat(first - (np.cumsum(counts) - counts), counts)
        images = order[starts + np.arange(len(edit_index))]
        # 3. In the order of the images, which a scorer of the user's own takes together.
        by_image = np.argsort(images, kind="stable")
        edit_index = edit_index[by_image]
        duels = Duels(images[by_image], places[edit_index], remain[edit_index])
        kinds = edits.kind_numbers[remain][edit_index]
        return cls(duels, remain, kinds)


def distractor_places(encoded: EncodedEdits, pairs: Pairs) -> NDArray[np.int64]:
    """One edit for each text that the gallery of the pairs does not have already."""
    edits = encoded.counted
    remain = np.flatnonzero(np.isin(edits.reports, pairs.reports))
    gallery = set(pairs.texts)
    is_new = np.array([text not in gallery for text in edits.texts], dtype=np.bool_)
    remain = remain[is_new[edits.text_numbers[remain]]]
    _, first = np.unique(edits.text_numbers[remain], return_index=True)
    places: NDArray[np.int64] = remain[np.sort(first)]
    return places


def _places(pairs: Pairs, reports: NDArray[np.int64]) -> NDArray[np.int64]:
    """The places of reports, by their numbers in the data set, among the pairs' reports."""
    order = np.argsort(pairs.reports)
    found = np.searchsorted(pairs.reports, reports, sorter=order)
    places: NDArray[np.int64] = order[found]
    return places


def _index(numbers: NDArray[np.int64], rows: Tensor) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(numbers)).to(rows.device)
