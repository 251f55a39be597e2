"""A model's fingerprint: its rows of fixed inputs, and what these rows follow from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, TypeAlias

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from ...core.codec import Written

Sha256: TypeAlias = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Row: TypeAlias = bytes
"""float32, the least significant byte first; base64 in the file."""
_ROW_TYPE = np.dtype("<f4")


@dataclass(frozen=True, repr=False)
class PictureMark(Written):
    """What a model makes of one picture."""

    name: str
    pixels_sha256: Sha256 | None
    """Of the pixels that `prepare` gives, before normalisation."""
    row: Row | None
    """None, like the hash, for a picture that the model refuses."""


@dataclass(frozen=True, repr=False)
class SentenceMark(Written):
    """What a model makes of one sentence."""

    name: str
    token_ids_sha256: Sha256 | None
    """None where the model does not show its token ids."""
    row: Row | None
    """None for a sentence that the model refuses."""


@dataclass(frozen=True, repr=False)
class WeightsMark(Written):
    """Hashes of a model's weights; None where one is not known."""

    loaded_sha256: Sha256 | None
    """Of the parameters and buffers in memory, in the precision of the fingerprint."""
    checkpoint_sha256: Sha256 | None
    """Of the file that they came from, as the model's card has it."""
    whole: bool = False
    """Whether `loaded_sha256` is known to be of all weights, so that equal hashes mean
    equal weights. A class of the user's own may keep some elsewhere.
    """


@dataclass(frozen=True)
class NormalisationMark(Written):
    """What is subtracted from the pixels of each channel, and what divides them."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True, repr=False)
class Fingerprint(Written):
    """A model's rows of the fixed pictures and sentences, with the parts they follow from."""

    model: str
    inputs_sha256: Sha256
    """Of the fixed pictures and sentences."""
    precision: str
    device: str
    """The kind of device: `cpu AVX2`, `NVIDIA H100 80GB HBM3`."""
    libraries: Mapping[str, str]
    """Versions of those that are installed."""
    weights: WeightsMark
    normalisation: NormalisationMark | None
    """None where it is not known."""
    pictures: tuple[PictureMark, ...]
    sentences: tuple[SentenceMark, ...]

    @property
    def marks(self) -> tuple[PictureMark | SentenceMark, ...]:
        return (*self.pictures, *self.sentences)


def written_row(row: NDArray[np.float32]) -> Row:
    return row.astype(_ROW_TYPE).tobytes()


def read_row(row: Row) -> NDArray[np.float64]:
    """(D,) the row in float64. Raises `ValueError` for bytes that are no float32 numbers."""
    return np.frombuffer(row, _ROW_TYPE).astype(np.float64)
