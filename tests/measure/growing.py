"""A data set that counts how often it is asked for each of its lists, and a free encoder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from pytest_retrieval_robust.models import ModelCard, Prepared

SIDE = 8
_ROWS = torch.nn.functional.normalize(
    torch.randn(1 << 10, 8, generator=torch.Generator().manual_seed(0)), dim=1
)


@dataclass
class Counted:
    """Each list is made anew whenever it is asked for, as a user's property may do."""

    size: int
    asked: Counter[str] = field(default_factory=Counter)
    name: str = "counted"
    split: str = "test"
    text: str = "full"
    relevance: str = "same-text"
    label_names: tuple[str, ...] = ("even",)

    def _numbers(self, member: str) -> range:
        self.asked[member] += 1
        return range(self.size)

    @property
    def fingerprint(self) -> str:
        self.asked["fingerprint"] += 1
        return f"{self.size:064x}"

    @property
    def image_ids(self) -> list[str]:
        return [f"image-{number}" for number in self._numbers("image_ids")]

    @property
    def reports(self) -> list[str]:
        return [f"report {number}" for number in self._numbers("reports")]

    @property
    def patients(self) -> list[str]:
        return [f"patient-{number // 2}" for number in self._numbers("patients")]

    @property
    def image_groups(self) -> NDArray[np.int64]:
        return np.array(self._numbers("image_groups"))

    @property
    def report_groups(self) -> NDArray[np.int64]:
        return np.array(self._numbers("report_groups"))

    @property
    def label_matrix(self) -> NDArray[np.bool_]:
        numbers = np.array(self._numbers("label_matrix"))
        is_even: NDArray[np.bool_] = numbers[:, None] % 2 == 0
        return is_even

    def image(self, index: int) -> Image.Image:
        pixels = np.random.default_rng(index).integers(0, 256, (SIDE, SIDE), np.uint8)
        return Image.fromarray(pixels)


class Free:
    """Looks rows up, by a sum of pixels and by the length of a text's hash."""

    name = "free"
    device = "cpu"
    card = ModelCard("tests", sha256="0" * 64)

    def prepare(self, image: Image.Image) -> Prepared:
        grey = np.asarray(image, dtype=np.uint8)
        return Prepared(np.stack([grey] * 3), (0.0, 0.0, 1.0, 1.0))

    def encode_images(self, pixels: Tensor) -> Tensor:
        sums = (255 * pixels[:, 0]).sum(dim=(1, 2)).long()
        return _ROWS[sums % len(_ROWS)]

    def encode_reports(self, texts: Sequence[str]) -> Tensor:
        return _ROWS[[sum(text.encode()) % len(_ROWS) for text in texts]]
