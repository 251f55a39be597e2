"""The fixed pictures and sentences of fingerprints.

They are made anew each time, by whole numbers alone, which are the same on every machine
and with every library. They must never change: a file that was made with others is
refused (`inputs_digest`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...core.hashed_words import hashed_words
from ..embeddings.probing import SENTENCES as USUAL_SENTENCES

if TYPE_CHECKING:
    from PIL.Image import Image

_LONG = "Findings: " + "the lungs are clear and the heart is of normal size; " * 64
"""Beyond the context of every published model."""
SENTENCES: Mapping[str, str] = {
    "short": USUAL_SENTENCES[0],
    "usual": USUAL_SENTENCES[1],
    "abbreviations": USUAL_SENTENCES[2],
    "upper-case": USUAL_SENTENCES[1].upper(),
    "long": _LONG,
    "accents": (
        "Épanchement pleural à gauche; naïve Größe, ﬁbrosis “quoted” – e\u0301…"
    ),
    "rare-words": (
        "lymphangioleiomyomatosis, cephalisation, pneumatocele; scimitar sign and"
        " crazy-paving, qwzx"
    ),
    "numbers": "12/08/2019: 3.25 x 1.5 cm, 1,000 mL, T4-T5, 98.6 F, SpO2 88 %, 2nd of 10",
    "punctuation": "[**] ... --- ?!? (a/b) {c} <d> &amp; e@f #1 ~ ^ _ | \\ ' \" ` ___",
    "white-space": "  Two  spaces,\ta tab\nand a new line.\r\n ",
    "other-scripts": "\u043b\u0451\u0433\u043a\u0438\u0435 \u80ba \u5fc3 \u00bd \u0130",
    "blank": " ",
}
"""By their names, in which tokenizers and towers differ."""


@cache
def pixel_arrays() -> Mapping[str, NDArray[np.uint8]]:
    """(H, W) grey and (H, W, 3) colour pixels by their names."""
    grey = _gradient(240, 320)
    colour = np.stack([grey, grey[:, ::-1], _rings(240, 320, 4)], axis=2)
    return {
        "grey-landscape": grey,
        "grey-portrait": np.ascontiguousarray(grey.T),
        "colour-landscape": colour,
        "colour-portrait": np.ascontiguousarray(colour.transpose(1, 0, 2)),
        # Rings that grow finer outwards, in which every filter of a resize is seen.
        "rings": _rings(512, 512, 6),
        "large": _rings(768, 1024, 8),
        "checkerboard": _checkerboard(300, 300, 5),
        "black": np.zeros((256, 256), np.uint8),
        "white": np.full((256, 256, 3), 255, np.uint8),
        "tiny": _noise("tiny", 17, 19),
        "noise": _noise("noise", 160, 200),
        "wide": _noise("wide", 96, 384, 3),
    }


def pictures() -> Mapping[str, Image]:
    """The pictures, modes `L` and `RGB`, by their names."""
    from PIL import Image

    return {name: Image.fromarray(pixels) for name, pixels in pixel_arrays().items()}


@cache
def inputs_digest() -> str:
    """The SHA-256 of all pictures and sentences, with their names."""
    digest = hashlib.sha256()
    for name, pixels in pixel_arrays().items():
        digest.update(f"{name} {pixels.shape}".encode() + pixels.tobytes())
    for name, sentence in SENTENCES.items():
        digest.update(f"\n{name}\n{sentence}".encode())
    return digest.hexdigest()


def _gradient(height: int, width: int) -> NDArray[np.uint8]:
    rows, columns = np.indices((height, width))
    return ((rows * 96 // height) + (columns * 160 // width)).astype(np.uint8)


def _rings(height: int, width: int, shift: int) -> NDArray[np.uint8]:
    """Grey levels that rise with the square of the distance from the centre, and wrap."""
    rows, columns = np.indices((height, width))
    squares = (rows - height // 2) ** 2 + (columns - width // 2) ** 2
    return ((squares >> shift) & 255).astype(np.uint8)


def _checkerboard(height: int, width: int, side: int) -> NDArray[np.uint8]:
    rows, columns = np.indices((height, width))
    return (((rows // side + columns // side) & 1) * 200 + 20).astype(np.uint8)


def _noise(name: str, *shape: int) -> NDArray[np.uint8]:
    count = int(np.prod(shape))
    words = hashed_words(name, 0, "drift", -(-count // 4))
    # Four pixels of each word, in one order on all processors.
    levels = np.array(words, dtype="<u4").view(np.uint8)
    return levels[:count].reshape(shape)
