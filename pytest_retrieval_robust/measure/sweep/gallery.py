"""Checked embeddings: of a gallery of reports, and of any other batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...core.calling import encode_reports
from ...core.errors import EmbeddingError
from ...models import similarity_of
from .receiver import Origin

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
    batches = [
        encode_gallery_batch(model, texts, numbers, shards)[0]
        for numbers in gallery_batches(model, texts, batch_size)
    ]
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


def gallery_batches(
    model: DualEncoder,  # noqa: ARG001 - may decide which texts go together
    texts: Sequence[str],
    batch_size: int,
) -> list[NDArray[np.int64]]:
    """The numbers of the reports of each batch, in order.

    They are the same in every run: which reports go together is part of what the
    store's keys mean.
    """
    numbers = np.arange(len(texts))
    starts = range(0, len(texts), batch_size)
    return [numbers[start : start + batch_size] for start in starts]


def encode_gallery_batch(
    model: DualEncoder,
    texts: Sequence[str],
    numbers: NDArray[np.int64],
    shards: ModelShards | None,
) -> tuple[Tensor, Origin]:
    """(B, D) the checked rows of one of the `gallery_batches` of a gallery of `texts`."""
    batch = [texts[number] for number in numbers]
    stored = None
    if shards is not None:
        stored = shards.load_reports(batch)
    if stored is not None:
        return torch.from_numpy(stored).to(model.device), Origin.STORE
    encoded = encode_reports(model, batch)
    names = [f"report {number}" for number in numbers]
    rows = checked(encoded.rows, names, model)
    # Pieces that memory forced may round otherwise, so they are not stored.
    is_kept = (
        shards is not None
        and encoded.whole
        and shards.save_reports(batch, rows.cpu().numpy())
    )
    return rows, Origin.ENCODED_AND_KEPT if is_kept else Origin.ENCODED


def checked(rows: Tensor, names: Sequence[str], model: DualEncoder) -> Tensor:
    """The (B, D) rows of the inputs with these names, if they keep the model's contract.

    They have to be finite, and of length 1 if similarity is their dot product.
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
            f" length={float(lengths[first]):g} for {names[first]} ({len(bad)} of"
            f" {len(names)} rows in its batch). Look for NaN or zero outputs, and"
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
