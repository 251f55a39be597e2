"""Takes a model's fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ... import __version__
from ...core.calling import encode_images, encode_reports
from ...core.encoding import Prepares, prepare_image, stacked, unit_scale
from ...core.errors import EmbeddingError, ModelError
from ...core.memory import OutOfMemory
from ...models import DualEncoder, precision_of, token_ids_of
from ...models.normalised import can_encode_normalised
from ..embeddings.keys import device_kind, library_versions
from .fingerprint import (
    Fingerprint,
    NormalisationMark,
    PictureMark,
    SentenceMark,
    written_row,
)
from .inputs import SENTENCES, inputs_digest, pictures
from .weights import weights_of

if TYPE_CHECKING:
    from torch import Tensor

_DECIMALS = 6
"""Of constants of normalisation, which are float32."""


def fingerprint_of(model: DualEncoder) -> Fingerprint:
    """What a model makes of the fixed pictures and sentences, and what that follows from.

    Raises:
        ModelError: It refuses all pictures, or all sentences.
        EmbeddingError: What it returns is no embeddings.
    """
    # Our own code bears on rows too.
    versions = {"pytest-retrieval-robust": __version__, **library_versions()}
    return Fingerprint(
        model=model.name,
        inputs_sha256=inputs_digest(),
        precision=precision_of(model),
        device=device_kind(model.device),
        libraries={name: text for name, text in versions.items() if text is not None},
        weights=weights_of(model),
        normalisation=_normalisation_of(model),
        pictures=_picture_marks(model),
        sentences=_sentence_marks(model),
    )


def _picture_marks(model: DualEncoder) -> tuple[PictureMark, ...]:
    marks = {name: PictureMark(name, None, None) for name in pictures()}
    prepared: dict[str, Prepares] = {}
    refusal: ModelError | None = None
    for name, picture in pictures().items():
        try:
            prepared[name] = prepare_image(model, picture)
        except ModelError as error:
            # Of a mode or size that the model does not take.
            refusal = error
    if refusal is not None and not prepared:
        raise refusal
    pixels = unit_scale(stacked(list(prepared.values()), model.name), model.device)
    rows = _on_host(encode_images(model, pixels).rows)
    _require_numbers(model, dict(zip(prepared, rows, strict=True)))
    for (name, picture_pixels), row in zip(prepared.items(), rows, strict=True):
        digest = _array_digest(picture_pixels.pixels)
        marks[name] = PictureMark(name, digest, written_row(row))
    return tuple(marks.values())


def _sentence_marks(model: DualEncoder) -> tuple[SentenceMark, ...]:
    names = list(SENTENCES)
    ids = token_ids_of(model, list(SENTENCES.values()))
    digests: list[str | None] = [None] * len(names)
    if ids is not None:
        digests = list(map(_ids_digest, ids))
    rows = _report_rows(model)
    _require_numbers(model, dict(zip(names, rows, strict=True)))
    marks = []
    for name, digest, row in zip(names, digests, rows, strict=True):
        written = None if row is None else written_row(row)
        marks.append(SentenceMark(name, digest, written))
    return tuple(marks)


def _report_rows(model: DualEncoder) -> list[NDArray[np.float32] | None]:
    """The row of each sentence; None for one that the model refuses."""
    texts = list(SENTENCES.values())
    try:
        return list(_on_host(encode_reports(model, texts).rows))
    except (EmbeddingError, OutOfMemory):
        raise
    except ModelError as error:
        refusal = error
    # Such as a model that does not cut long texts: each is tried alone.
    rows = [_row_or_none(model, text) for text in texts]
    if all(row is None for row in rows):
        raise refusal
    return rows


def _row_or_none(model: DualEncoder, text: str) -> NDArray[np.float32] | None:
    try:
        rows = _on_host(encode_reports(model, [text]).rows)
    except (EmbeddingError, OutOfMemory):
        raise
    except ModelError:
        return None
    row: NDArray[np.float32] = rows[0]
    return row


def _require_numbers(
    model: DualEncoder, rows: Mapping[str, NDArray[np.float32] | None]
) -> None:
    """Raise `EmbeddingError` for rows that have no direction."""
    for name, row in rows.items():
        if row is None or (np.isfinite(row).all() and row.any()):
            continue
        got = "zeros alone" if np.isfinite(row).all() else "NaN or an infinite number"
        raise EmbeddingError(
            f"Expected a row of finite numbers from {model.name} for the fixed input"
            f" {name}, got {got}. Fix the encoder."
        )


def _on_host(rows: Tensor) -> NDArray[np.float32]:
    host: NDArray[np.float32] = rows.detach().cpu().numpy()
    return host


def _normalisation_of(model: DualEncoder) -> NormalisationMark | None:
    if not can_encode_normalised(model):
        return None
    constants = model.normalisation
    return NormalisationMark(_rounded(constants.mean), _rounded(constants.std))


def _rounded(constants: Tensor) -> tuple[float, ...]:
    return tuple(round(value, _DECIMALS) for value in constants.flatten().tolist())


def _array_digest(pixels: NDArray[np.uint8] | NDArray[np.float32]) -> str:
    kind = f"{pixels.dtype.name} {pixels.shape}"
    return hashlib.sha256(kind.encode() + pixels.tobytes()).hexdigest()


def _ids_digest(ids: Sequence[int]) -> str:
    # Tensors and numpy integers would not be JSON.
    written = json.dumps([int(number) for number in ids])
    return hashlib.sha256(written.encode()).hexdigest()
