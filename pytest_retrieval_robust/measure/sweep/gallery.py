"""Checked embeddings: of a gallery of reports, and of any other batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...core.calling import encode_reports
from ...core.errors import EmbeddingError
from ...core.foreign import FOREIGN
from ...core.words import counted
from ...models import similarity_of, token_lengths_of
from .receiver import Origin
from .space import IN_MEMORY, RowSpace

if TYPE_CHECKING:
    from ...models import DualEncoder
    from ..embeddings.shards import ModelShards

_UNIT_TOLERANCE = 1e-3
_SAME_ROW = 1e-6
"""Rows that differ by less in every component count as the same."""
_PIECE = 1024
"""Rows that are looked at together."""


def gallery_batches(
    model: DualEncoder, texts: Sequence[str], batch_size: int
) -> list[NDArray[np.int64]]:
    """The numbers of the texts that are encoded together, batch by batch.

    A model that never pads takes texts of one length at a time, and says how long they
    are: then they are sorted by their tokens, so that a batch has one or two lengths in
    place of dozens. All others get batches in the order of the data. Either follows
    from the texts and the batch size alone, so that machines may share batches out.
    """
    order = np.arange(len(texts), dtype=np.int64)
    lengths = _token_lengths(model, texts)
    if lengths is not None:
        # Texts of one length stay in the order of the data.
        order = np.argsort(lengths, kind="stable")
    starts = range(0, len(texts), batch_size)
    return [order[start : start + batch_size] for start in starts]


def _token_lengths(
    model: DualEncoder, texts: Sequence[str]
) -> NDArray[np.int64] | None:
    """(G,) the tokens that the model makes of each text; None if it does not say."""
    # A copy: the method may be a user's, and change what it is given.
    lengths = token_lengths_of(model, list(texts))
    if lengths is None:
        return None
    try:
        numbers = np.asarray(lengths)
    except FOREIGN:
        # Lists of different lengths, or a tensor on a device, make no array.
        numbers = np.array(None)
    if numbers.shape != (len(texts),) or numbers.dtype.kind not in "iu":
        raise EmbeddingError(
            f"Expected token_lengths of {model.name} to return {len(texts)} whole"
            f" numbers, got shape={numbers.shape}, dtype={numbers.dtype}. Return one"
            " length for each text, or remove the method."
        )
    return numbers.astype(np.int64)


def encode_gallery(
    model: DualEncoder,
    texts: Sequence[str],
    batch_size: int,
    shards: ModelShards | None = None,
    space: RowSpace = IN_MEMORY,
    *,
    may_be_alike: bool = False,
) -> Tensor:
    """(G, D) the checked embeddings of a gallery of reports, in the order of `texts`.

    `batch_size` reports are encoded at a time. Stored ones are not encoded. On the host
    `space` has the rows, in a mapped file where memory is short. Rows that are all the
    same are an error, unless they `may_be_alike`.
    """
    # In the same batches in every run: their size is part of what the store's keys mean.
    batches = gallery_batches(model, texts, batch_size)
    rows = (encode_gallery_batch(model, texts, batch, shards) for batch in batches)
    return assembled_gallery(model, batches, rows, space, may_be_alike=may_be_alike)


def assembled_gallery(
    model: DualEncoder,
    batches: Sequence[NDArray[np.int64]],
    rows: Iterable[Tensor],
    space: RowSpace = IN_MEMORY,
    *,
    may_be_alike: bool = False,
) -> Tensor:
    """(G, D) the rows of all batches, in the order of the texts' numbers.

    `rows` come batch by batch, and go where they belong as they come. Raises
    `EmbeddingError` for batches of different widths, and where all rows are the same,
    unless they `may_be_alike`.
    """
    count = sum(map(len, batches))
    gallery: Tensor | None = None
    for numbers, of_batch in zip(batches, rows, strict=True):
        if gallery is None:
            gallery = _empty_gallery(count, of_batch, space)
        if of_batch.shape[1] != gallery.shape[1]:
            widths = sorted({gallery.shape[1], of_batch.shape[1]})
            raise EmbeddingError(
                f"Expected embeddings of one width from {model.name}, got"
                f" widths={widths} for its batches of reports. Return rows of the same"
                " length for every batch."
            )
        gallery[torch.from_numpy(numbers).to(gallery.device)] = of_batch
    assert gallery is not None
    if not may_be_alike:
        require_variety(gallery, "reports", model.name)
    return gallery


def encode_gallery_batch(
    model: DualEncoder,
    texts: Sequence[str],
    numbers: NDArray[np.int64],
    shards: ModelShards | None = None,
) -> Tensor:
    """(B, D) the checked rows of the texts with these numbers, on the model's device."""
    return gallery_batch_with_origin(model, texts, numbers, shards)[0]


def gallery_batch_with_origin(
    model: DualEncoder,
    texts: Sequence[str],
    numbers: NDArray[np.int64],
    shards: ModelShards | None,
) -> tuple[Tensor, Origin]:
    """As `encode_gallery_batch`, with where the rows come from."""
    batch = [texts[number] for number in numbers]
    stored = None
    if shards is not None:
        stored = shards.load_reports(batch)
    if stored is not None:
        return torch.from_numpy(stored).to(model.device), Origin.STORE
    encoded = encode_reports(model, batch)
    rows = checked(encoded.rows, lambda place: f"report {numbers[place]}", model)
    # Pieces that memory forced may round otherwise, so they are not stored.
    is_kept = (
        shards is not None
        and encoded.whole
        and shards.save_reports(batch, rows.cpu().numpy())
    )
    return rows, Origin.ENCODED_AND_KEPT if is_kept else Origin.ENCODED


def _empty_gallery(count: int, rows: Tensor, space: RowSpace) -> Tensor:
    """(G, D) to be filled, where `rows` are."""
    shape = (count, rows.shape[1])
    if rows.device.type != "cpu":
        return torch.empty(shape, dtype=rows.dtype, device=rows.device)
    return torch.from_numpy(space.empty(shape, np.float32))


def chosen_rows(
    rows: Tensor, is_chosen: NDArray[np.bool_], space: RowSpace = IN_MEMORY
) -> Tensor:
    """The rows for which the (N,) array is true, without a copy of more than a few."""
    numbers = torch.from_numpy(np.flatnonzero(is_chosen)).to(rows.device)
    chosen = _empty_gallery(len(numbers), rows, space)
    for start in range(0, len(numbers), _PIECE):
        part = slice(start, start + _PIECE)
        chosen[part] = rows[numbers[part]]
    return chosen


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
            f" {counted(len(rows), 'row')} in its batch). Look for NaN or zero outputs, and"
            " normalise the rows."
        )
    return rows


def require_variety(rows: Tensor, inputs: str, model: str) -> None:
    """Raise `EmbeddingError` if several `inputs` all have the same row."""
    if len(rows) < 2:
        return
    # Piece by piece: the first nearly always settles it, and all rows may not fit.
    for start in range(0, len(rows), _PIECE):
        differences = (rows[start : start + _PIECE] - rows[0]).abs().amax(dim=1)
        if not bool((differences < _SAME_ROW).all()):
            return
    raise EmbeddingError(
        f"Expected embeddings of {model} that differ between {inputs}, got the same"
        f" row for all {len(rows)}. Its weights were probably not loaded, or its input"
        " is not passed on."
    )
