"""Checked embeddings: of a gallery of reports, and of any other batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ...core.calling import encode_reports
from ...core.errors import EmbeddingError
from ...models import similarity_of

if TYPE_CHECKING:
    from ...models import DualEncoder
    from ..embeddings.shards import ModelShards

_UNIT_TOLERANCE = 1e-3
_SAME_ROW = 1e-6
"""Rows that differ by less in every component count as the same."""


def encode_gallery(
    model: DualEncoder,
    texts: Sequence[str],
    batch_size: int,
    shards: ModelShards | None = None,
) -> Tensor:
    """(G, D) the checked embeddings of a gallery of reports.

    `batch_size` reports are encoded at a time. Stored ones are not encoded.
    """
    # In the same batches in every run: their size is part of what the store's keys mean.
    batches = []
    for start in range(0, len(texts), batch_size):
        batch = texts[start : start + batch_size]
        batches.append(_batch_rows(model, batch, start, shards))
    widths = sorted({batch.shape[1] for batch in batches})
    if len(widths) > 1:
        raise EmbeddingError(
            f"Expected embeddings of one width from {model.name}, got widths={widths}"
            " for its batches of reports. Return rows of the same length for every"
            " batch."
        )
    rows = torch.cat(batches)
    require_variety(rows, "reports", model.name)
    return rows


def _batch_rows(
    model: DualEncoder, texts: Sequence[str], start: int, shards: ModelShards | None
) -> Tensor:
    """The rows of a batch of reports, of which the first has the number `start`."""
    stored = None
    if shards is not None:
        stored = shards.load_reports(texts)
    if stored is not None:
        return torch.from_numpy(stored).to(model.device)
    encoded = encode_reports(model, texts)
    rows = checked(encoded.rows, lambda offset: f"report {start + offset}", model)
    # Pieces that memory forced may round otherwise, so they are not stored.
    if shards is not None and encoded.whole:
        shards.save_reports(texts, rows.cpu().numpy())
    return rows


def checked(rows: Tensor, name_of: Callable[[int], str], model: DualEncoder) -> Tensor:
    """The (B, D) rows of a batch of inputs, if they keep the model's contract.

    They have to be finite, and of length 1 if similarity is their dot product.
    `name_of` gives a message the name of an input by its place in the batch.
    """
    lengths = torch.linalg.vector_norm(rows, dim=1)
    if similarity_of(model) is None:
        expected = "finite unit rows"
        is_good = (lengths - 1).abs() <= _UNIT_TOLERANCE
    else:
        # A row of such a model may hold anything, such as a mean and a variance.
        expected = "finite rows"
        is_good = lengths.isfinite()
    bad = torch.nonzero(~is_good)
    if len(bad):
        first = int(bad[0])
        raise EmbeddingError(
            f"Expected {expected} from {model.name}, got"
            f" length={float(lengths[first]):g} for {name_of(first)} ({len(bad)} of"
            f" {len(rows)} rows in its batch). Look for NaN or zero outputs, and"
            " normalise the rows."
        )
    return rows


def require_variety(rows: Tensor, inputs: str, model: str) -> None:
    """Raise `EmbeddingError` if several `inputs` all have the same row."""
    if len(rows) < 2:
        return
    differences = (rows - rows[0]).abs().amax(dim=1)
    if bool((differences < _SAME_ROW).all()):
        raise EmbeddingError(
            f"Expected embeddings of {model} that differ between {inputs}, got the same"
            f" row for all {len(rows)}. Its weights were probably not loaded, or its"
            " input is not passed on."
        )
