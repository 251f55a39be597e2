"""Checked embeddings: of a gallery of reports, and whatever else an encoder gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .errors import EmbeddingError
from .occluders._scene import broken_encoder

if TYPE_CHECKING:
    from .models import DualEncoder
    from .shards import ModelShards

_UNIT_TOLERANCE = 1e-3


def encode_gallery(model: DualEncoder, texts: Sequence[str], size: int, shards: ModelShards | None = None) -> Tensor:
    """(G, D) the checked embeddings of a gallery of reports, `size` at a time; stored ones are not encoded."""
    parts = [texts[start : start + size] for start in range(0, len(texts), size)]
    rows = torch.cat([_part(model, part, number * size, shards) for number, part in enumerate(parts)])
    require_variety(rows, "reports", model.name)
    return rows


def _part(model: DualEncoder, texts: Sequence[str], start: int, shards: ModelShards | None) -> Tensor:
    stored = None if shards is None else shards.load_reports(texts)
    if stored is not None:
        return torch.from_numpy(stored).to(model.device)
    rows = _encode_reports(model, texts, start)
    if shards is not None:
        shards.save_reports(texts, rows.cpu().numpy())
    return rows


def _encode_reports(model: DualEncoder, texts: Sequence[str], start: int) -> Tensor:
    try:
        rows = model.encode_reports(texts)
    except Exception as error:
        raise broken_encoder(model.name, "encode_reports", error) from error
    return checked(rows, [f"report {start + i}" for i in range(len(texts))], model)


def checked(rows: Tensor, names: Sequence[str], encoder: DualEncoder) -> Tensor:
    """The rows, if they are what the contract asks for: (B, D), finite, of length 1 where similarity is their dot
    product."""
    model = encoder.name
    if rows.ndim != 2 or len(rows) != len(names):
        raise EmbeddingError(
            f"Expected embeddings of shape ({len(names)}, D) from {model}, got shape={tuple(rows.shape)}. "
            "Return one row for each input."
        )
    lengths = rows.float().norm(dim=1)
    scored = hasattr(encoder, "similarity")  # then a row may hold anything, a mean and a variance for one
    bad = torch.nonzero(~(lengths.isfinite() if scored else (lengths - 1).abs() <= _UNIT_TOLERANCE))
    if len(bad):
        first = int(bad[0])
        raise EmbeddingError(
            f"Expected finite {'' if scored else 'unit '}rows from {model}, got length={float(lengths[first]):g} for "
            f"{names[first]} ({len(bad)} of {len(names)} rows in its batch). Look for NaN or zero outputs, and "
            "normalise the rows."
        )
    return rows.detach().float()


def require_variety(rows: Tensor, what: str, model: str) -> None:
    if len(rows) > 1 and bool(((rows - rows[0]).abs().amax(dim=1) < 1e-6).all()):
        raise EmbeddingError(
            f"Expected embeddings of {model} that differ between {what}, got the same row for all {len(rows)}. "
            "Its weights were probably not loaded, or its input is not passed on."
        )
