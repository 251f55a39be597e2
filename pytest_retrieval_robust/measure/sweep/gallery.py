"""Checked embeddings: of a gallery of reports, and whatever else an encoder gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ...core.calling import encode_reports
from ...core.errors import EmbeddingError

if TYPE_CHECKING:
    from ...models import DualEncoder
    from ..embeddings.shards import ModelShards

_UNIT_TOLERANCE = 1e-3


def encode_gallery(
    model: DualEncoder,
    texts: Sequence[str],
    size: int,
    shards: ModelShards | None = None,
) -> Tensor:
    """(G, D) the checked embeddings of a gallery of reports, `size` at a time; stored
    ones are not encoded.
    """
    parts = [texts[start : start + size] for start in range(0, len(texts), size)]
    embedded = [
        _part(model, part, number * size, shards) for number, part in enumerate(parts)
    ]
    widths = sorted({part.shape[1] for part in embedded})
    if len(widths) > 1:
        raise EmbeddingError(
            f"Expected embeddings of one width from {model.name}, got widths={widths}"
            " for its batches of reports. Return rows of the same length for every"
            " batch."
        )
    rows = torch.cat(embedded)
    require_variety(rows, "reports", model.name)
    return rows


def _part(
    model: DualEncoder, texts: Sequence[str], start: int, shards: ModelShards | None
) -> Tensor:
    stored = None if shards is None else shards.load_reports(texts)
    if stored is not None:
        return torch.from_numpy(stored).to(model.device)
    found = encode_reports(model, texts)
    rows = checked(
        found.rows, [f"report {start + i}" for i in range(len(texts))], model
    )
    if shards is not None and found.whole:
        shards.save_reports(texts, rows.cpu().numpy())
    return rows


def checked(rows: Tensor, names: Sequence[str], encoder: DualEncoder) -> Tensor:
    """The (B, D) rows, if they are what the contract asks for: finite, of length 1
    where similarity is their dot product.
    """
    model = encoder.name
    lengths = torch.linalg.vector_norm(rows, dim=1)
    scored = hasattr(
        encoder, "similarity"
    )  # then a row may hold anything, a mean and a variance for one
    bad = torch.nonzero(
        ~(lengths.isfinite() if scored else (lengths - 1).abs() <= _UNIT_TOLERANCE)
    )
    if len(bad):
        first = int(bad[0])
        raise EmbeddingError(
            f"Expected finite {'' if scored else 'unit '}rows from {model}, got"
            f" length={float(lengths[first]):g} for {names[first]} ({len(bad)} of"
            f" {len(names)} rows in its batch). Look for NaN or zero outputs, and"
            " normalise the rows."
        )
    return rows


def require_variety(rows: Tensor, what: str, model: str) -> None:
    if len(rows) > 1 and bool(((rows - rows[0]).abs().amax(dim=1) < 1e-6).all()):
        raise EmbeddingError(
            f"Expected embeddings of {model} that differ between {what}, got the same"
            f" row for all {len(rows)}. Its weights were probably not loaded, or its"
            " input is not passed on."
        )
