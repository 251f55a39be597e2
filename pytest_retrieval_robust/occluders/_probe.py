"""Asking a model about hidden versions of a batch's images: how well it still scores
their right reports.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..core.calling import image_rows
from ..core.errors import EmbeddingError, OcclusionError
from ..core.float32 import ieee_float32
from ..core.memory import in_pieces, limits_of
from ._frames import view_of
from ._scene import encode
from .cells import hide_cells
from .fills import Canvas, filling

if TYPE_CHECKING:
    from torch import Tensor

    from ._scene import Scene

T = TypeVar("T")
Hidden: TypeAlias = NDArray[np.bool_]
"""(M, G * G): M versions of one image, true where a cell is hidden."""


class Answers(NamedTuple):
    """What the model says of M versions of one image."""

    right: NDArray[np.float64]
    """(M,) the score of the best right report."""
    margin: NDArray[np.float64]
    """(M,) that score less the k-th best wrong one: the right report is out of the top
    k where it is below 0.
    """


Search: TypeAlias = Generator[Hidden, Answers, T]
"""A search in one image: it yields versions to look at, is sent what the model says,
and returns what it found.

Many of them run side by side in `Probe.run`, which encodes what all of them ask for in
full batches.
"""


@dataclass(frozen=True, eq=False)
class Probe:
    """A batch of a model's images, whose cells can be hidden one by one.

    Args:
        scene: The batch.
        grid: G, cells along each side.
        fill: What hides.
        k: The right report is to stay among the k best.
        seed: Of the fill, where it has one.
        batch: How many versions are encoded at a time.
        tell: Called with how many versions were asked about, after each batch of `run`.
    """

    scene: Scene
    grid: int
    fill: str
    k: int
    seed: int = 0
    batch: int = 64
    tell: Callable[[int], None] | None = None

    def __post_init__(self) -> None:
        fewest = int((~self._right).sum(1).min()) if len(self.scene.ids) else self.k
        if self.k > fewest:
            raise OcclusionError(
                f"Expected k of at most the {fewest} wrong reports of a query, got"
                f" k={self.k}. Lower it, or search among more reports."
            )

    def run(self, searches: Sequence[Search[T]]) -> list[T]:
        """What each image's search finds; one search an image, in the batch's order."""
        found: dict[int, T] = {}
        asked = {image: next(search) for image, search in enumerate(searches)}
        while asked:
            images = np.repeat(
                np.array(list(asked)), [len(versions) for versions in asked.values()]
            )
            answers = self._ask(images, np.concatenate(list(asked.values())))
            following: dict[int, Hidden] = {}
            start = 0
            for image, versions in asked.items():
                part = slice(start, start := start + len(versions))
                try:
                    following[image] = searches[image].send(
                        Answers(answers.right[part], answers.margin[part])
                    )
                except StopIteration as stop:
                    found[image] = stop.value
            asked = following
        return [found[image] for image in range(len(searches))]

    def encode(self, images: NDArray[np.int64], hidden: Hidden) -> Tensor:
        """(M, D) the embeddings of versions `hidden` (M, G * G) of the batch's images
        of these numbers (M,).
        """
        return encode(self.scene.setting.encoder, self.hidden(images, hidden))

    def hidden(self, images: NDArray[np.int64], hidden: Hidden) -> Tensor:
        """(M, 3, H, W) the pixels of those versions."""
        import torch

        device = self.scene.pixels.device
        chosen = torch.from_numpy(images).to(device)
        pixels = self.scene.pixels[chosen]
        frames = [self.scene.frames[image] for image in images]
        view = view_of(frames, len(frames), (pixels.shape[2], pixels.shape[3]))
        values = self._values
        if values is not None and len(values) > 1:
            values = values[chosen]
        cells = torch.from_numpy(hidden).to(device).reshape(-1, self.grid, self.grid)
        return hide_cells(pixels, values, pixels, cells, view)

    @cached_property
    def _values(self) -> Tensor | None:
        scene = self.scene
        view = view_of(
            scene.frames, len(scene.ids), (scene.pixels.shape[2], scene.pixels.shape[3])
        )
        donors = scene.setting.donors if self.fill == "donor" else None
        return filling(
            self.fill, Canvas(scene.pixels, scene.ids, self.seed, view, donors)
        )

    @cached_property
    def _right(self) -> Tensor:
        """(B, G) bool on the model's device: which report is right for which image."""
        import torch

        scene = self.scene
        right = scene.groups[:, None] == scene.setting.report_groups[None, :]
        return torch.from_numpy(right).to(scene.setting.reports.device)

    def _ask(self, images: NDArray[np.int64], hidden: Hidden) -> Answers:
        encoder = self.scene.setting.encoder
        limits = limits_of(encoder)
        answers: list[Answers] = []
        for start in range(0, len(images), self.batch):
            numbers, versions = (
                images[start : start + self.batch],
                hidden[start : start + self.batch],
            )

            def answer(
                part: slice,
                numbers: NDArray[np.int64] = numbers,
                versions: Hidden = versions,
            ) -> Answers:
                return self._answer(numbers[part], versions[part])

            answers += in_pieces(len(numbers), limits, "images", answer, encoder.device)
            if self.tell is not None:
                self.tell(len(numbers))
        return Answers(
            *(np.concatenate(column) for column in zip(*answers, strict=True))
        )

    def _answer(self, images: NDArray[np.int64], hidden: Hidden) -> Answers:
        """Of one part that memory has to hold whole."""
        import torch

        from ..retrieval.ranking import scored

        setting = self.scene.setting
        rows = image_rows(setting.encoder, self.hidden(images, hidden))
        similarity = getattr(setting.encoder, "similarity", None)
        # In shorter numbers a margin would not be certain, and would not agree with the ranks.
        with ieee_float32(), torch.autocast(rows.device.type, enabled=False):
            scores = (
                rows @ setting.reports.T
                if similarity is None
                else scored(rows, setting.reports, similarity)
            )
        is_right = self._right[torch.from_numpy(images).to(scores.device)]
        _require_numbers(scores, setting.encoder.name)
        best = scores.masked_fill(~is_right, -torch.inf).amax(1)
        wrong = (
            scores.masked_fill(is_right, -torch.inf).topk(self.k, dim=1).values[:, -1]
        )
        # To the host first: Apple GPUs have no float64.
        right, kth_wrong = best.cpu().double().numpy(), wrong.cpu().double().numpy()
        return Answers(right, right - kth_wrong)


def _require_numbers(scores: Tensor, model: str) -> None:
    """A NaN compares as false with everything: a search would take it for a report that
    nothing pushes out.
    """
    bad = int((~scores.isfinite()).any(dim=1).sum())
    if bad:
        raise EmbeddingError(
            f"Expected finite scores from {model}, got NaN or infinity for {bad} of"
            f" {len(scores)} hidden versions of its images. Look for NaN or zero"
            " outputs where much of an image is hidden."
        )
