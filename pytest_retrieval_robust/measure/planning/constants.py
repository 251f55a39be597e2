"""What was measured on one processor, for models and files that no run has measured yet.

`python -m benchmarks.constants --write` measures it and writes `constants.json`, with the
processor that it holds for. Nothing is derived from it for another kind of device.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ...core.errors import ConfigError
from ...core.words import close_words, did_you_mean

_FILE = Path(__file__).with_name("constants.json")
ARCHITECTURES: Mapping[str, str] = {
    "clip": "ViT-B-32",
    "cxr-repair": "ViT-B-32",
    "chexzero": "ViT-B-32",
    "biomedclip": "ViT-B-16",
    "medclip": "RN50",
    "cxr-clip-r50": "RN50",
}
"""Published models whose image tower is one of the measured networks."""


@dataclass(frozen=True)
class EncoderCost:
    """Seconds of a core of a network in float32, with one thread."""

    architecture: str
    width: int
    image_seconds: float
    text_seconds: float
    """Of a text of 77 tokens."""


@dataclass(frozen=True)
class FileCost:
    """What reading a grey picture of a kind takes."""

    kind: str
    """Such as `jpg 2544 x 3056`."""
    bytes: int
    decode_seconds: float
    """Seconds of a core, to decode and to prepare it."""
    digest_seconds: float
    """Seconds of a core, to hash its bytes."""


@dataclass(frozen=True)
class RankCost:
    """Seconds of a core of exact ranks in both directions: proportional to each term."""

    per_product: float
    """Per image, report and number of an embedding."""
    per_row: float
    """Per image or report, and number of an embedding."""

    def seconds(self, images: int, reports: int, width: int) -> float:
        """Seconds of a core for one cell."""
        products = self.per_product * images * reports
        return width * (products + self.per_row * (images + reports))


@dataclass(frozen=True)
class Constants:
    """Everything that was measured, and where."""

    hardware: str
    command: str
    encoders: tuple[EncoderCost, ...]
    files: tuple[FileCost, ...]
    ranks: RankCost

    def encoder_of(self, model: str) -> EncoderCost | None:
        """The measured network of a published model; None if there is none."""
        architecture = ARCHITECTURES.get(model)
        for encoder in self.encoders:
            if encoder.architecture == architecture:
                return encoder
        return None

    def file_of(self, kind: str) -> FileCost:
        """The cost of a kind of file; raises `ConfigError` for an unknown one."""
        kinds = {file.kind.replace(" ", ""): file for file in self.files}
        typed = kind.replace(" ", "")
        if typed not in kinds:
            question = did_you_mean(close_words(typed, kinds))
            raise ConfigError(
                f"Expected --files out of {', '.join(kinds)}, got files={kind!r}."
                f" {question}".rstrip()
            )
        return kinds[typed]


@cache
def measured_constants() -> Constants:
    """What `constants.json` says."""
    content = json.loads(_FILE.read_text(encoding="utf-8"))
    one_thread = [row for row in content["encoders"] if row["threads"] == 1]
    ranks = [row for row in content["ranks"] if row["threads"] == 1]
    return Constants(
        content["hardware"],
        content["command"],
        tuple(
            EncoderCost(
                row["architecture"],
                row["width"],
                row["image_seconds"],
                row["text_seconds"],
            )
            for row in one_thread
        ),
        tuple(FileCost(**row) for row in content["files"]),
        _fit(ranks),
    )


def _fit(rows: list[dict[str, float]]) -> RankCost:
    """The cost that is nearest to the measured seconds, in shares of each."""
    seconds = np.array([row["seconds"] for row in rows])
    width = np.array([row["width"] for row in rows])
    products = np.array([row["images"] * row["reports"] for row in rows])
    sums = np.array([row["images"] + row["reports"] for row in rows])
    terms = (width * np.stack([products, sums])).T / seconds[:, None]
    solution = np.linalg.lstsq(terms, np.ones(len(rows)), rcond=None)[0]
    if solution[1] < 0:
        # Then the smaller term is below what differs between measurements.
        single = terms[:, 0]
        return RankCost(float(single.sum() / (single @ single)), 0.0)
    return RankCost(float(solution[0]), float(solution[1]))
