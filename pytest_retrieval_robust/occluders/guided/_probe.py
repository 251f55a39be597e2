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

from ...core.calling import image_rows
from ...core.encoding import encode
from ...core.errors import EmbeddingError, OcclusionError
from ...core.float32 import allowed_products, ieee_float32
from ...core.memory import Limits, in_pieces, limits_of
from ...core.uploads import upload
from .._frames import View, view_of
from .._hide import HiddenCells, hide_cells
from ..fills import DONOR, Canvas, filling

if TYPE_CHECKING:
    from torch import Tensor

    from ..scene import Scene

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

    def part(self, versions: slice) -> Answers:
        return Answers(self.right[versions], self.margin[versions])


Search: TypeAlias = Generator[Hidden, Answers, T]
"""A search in one image: it yields versions to look at, is sent what the model says,
and returns its result.

Many of them run side by side in `Probe.run`, which encodes the versions of all of them
in full batches.
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
        if not len(self.scene.ids):
            return
        fewest = int((~self._right_on_host).sum(axis=1).min())
        if self.k > fewest:
            raise OcclusionError(
                f"Expected k of at most the {fewest} wrong reports of a query, got"
                f" k={self.k}. Lower it, or search among more reports."
            )

    def prepare(self) -> None:
        """Make what all versions share.

        Where memory does not hold that, it runs out here, and not in a search.
        """
        _ = self._values
        _ = self._right

    def run(self, searches: Sequence[Search[T]]) -> list[T]:
        """The result of each image's search; one search per image, in the batch's order."""
        results: dict[int, T] = {}
        # By image: the versions that its search waits for.
        requests = {image: next(search) for image, search in enumerate(searches)}
        while requests:
            counts = [len(versions) for versions in requests.values()]
            images = np.repeat(np.array(list(requests)), counts)
            answers = self._ask(images, np.concatenate(list(requests.values())))
            next_requests: dict[int, Hidden] = {}
            start = 0
            for image, count in zip(requests, counts, strict=True):
                own = answers.part(slice(start, start + count))
                start += count
                try:
                    next_requests[image] = searches[image].send(own)
                except StopIteration as finished:
                    results[image] = finished.value
            requests = next_requests
        return [results[image] for image in range(len(searches))]

    def encode(self, images: NDArray[np.int64], hidden: Hidden) -> Tensor:
        """(M, D) the embeddings of versions `hidden` (M, G * G) of the batch's images
        of these numbers (M,).
        """
        return encode(self.scene.setting.encoder, self.hidden(images, hidden))

    def hidden(self, images: NDArray[np.int64], hidden: Hidden) -> Tensor:
        """(M, 3, H, W) the pixels of those versions."""
        device = self.scene.pixels.device
        chosen = upload(images, device)
        pixels = self.scene.pixels.index_select(0, chosen)
        view = self._view.chosen(images.tolist(), chosen)
        values = self._values
        if values is not None and len(values) > 1:
            values = values.index_select(0, chosen)
        # The first of two priorities, 0 and 1, is hidden.
        priorities = upload((~hidden).view(np.int8), device)
        cells = HiddenCells(priorities.reshape(-1, self.grid, self.grid), 1)
        return hide_cells(pixels, values, pixels, cells, view)

    @cached_property
    def _view(self) -> View:
        scene = self.scene
        size = (scene.pixels.shape[2], scene.pixels.shape[3])
        view = view_of(scene.frames, len(scene.ids), size)
        # Known from here on: versions of images take theirs.
        view.cells(self.grid, scene.pixels.device)
        return view

    @cached_property
    def _values(self) -> Tensor | None:
        scene = self.scene
        # Preparing donors opens images, so it waits until a fill needs them.
        donors = scene.setting.donors if self.fill == DONOR else None
        canvas = Canvas(scene.pixels, scene.ids, self.seed, self._view, donors)
        return filling(self.fill, canvas)

    @cached_property
    def _right_on_host(self) -> NDArray[np.bool_]:
        """(B, G): which report is right for which image."""
        report_groups = self.scene.setting.report_groups
        right: NDArray[np.bool_] = self.scene.groups[:, None] == report_groups[None, :]
        return right

    @cached_property
    def _right(self) -> Tensor:
        """The same on the model's device."""
        return upload(self._right_on_host, self.scene.setting.reports.device)

    def _ask(self, images: NDArray[np.int64], hidden: Hidden) -> Answers:
        """What the model says of versions `hidden` of the images of these numbers."""
        import torch

        encoder = self.scene.setting.encoder
        limits = limits_of(encoder)
        answers: list[Tensor] = []
        for start in range(0, len(images), self.batch):
            batch = slice(start, start + self.batch)
            numbers = images[batch]
            answers += self._ask_batch(numbers, hidden[batch], limits)
            if self.tell is not None:
                self.tell(len(numbers))
        # All in one copy, because each waits for the device. To the host first: Apple GPUs
        # have no float64.
        on_host = torch.cat(answers, dim=1).cpu().double().numpy()
        right, kth_wrong, are_numbers = on_host
        _require_numbers(int((are_numbers == 0).sum()), len(images), encoder.name)
        return Answers(right, right - kth_wrong)

    def _ask_batch(
        self, images: NDArray[np.int64], hidden: Hidden, limits: Limits
    ) -> list[Tensor]:
        """In one piece, or in several where memory does not hold it whole."""

        def answer(part: slice) -> Tensor:
            return self._answer(images[part], hidden[part])

        device = self.scene.setting.encoder.device
        return list(in_pieces(len(images), limits, "images", answer, device))

    def _answer(self, images: NDArray[np.int64], hidden: Hidden) -> Tensor:
        """(3, M) of one piece that memory has to hold whole, on the device: the best right
        score, the k-th best wrong one, and 1 where all scores are numbers.
        """
        import torch

        rows = image_rows(self.scene.setting.encoder, self.hidden(images, hidden))
        scores = self._scores(rows)
        is_right = self._right.index_select(0, upload(images, scores.device))
        best_right = scores.masked_fill(~is_right, -torch.inf).amax(1)
        wrong = scores.masked_fill(is_right, -torch.inf)
        kth_wrong = wrong.topk(self.k, dim=1).values[:, -1]
        are_numbers = scores.isfinite().all(dim=1).to(scores.dtype)
        return torch.stack([best_right, kth_wrong, are_numbers])

    def _scores(self, rows: Tensor) -> Tensor:
        """(M, G) the scores of all reports."""
        import torch

        from ...retrieval.ranking import scored

        setting = self.scene.setting
        similarity = getattr(setting.encoder, "similarity", None)
        # In shorter numbers a margin would not be certain, and would not agree with the ranks.
        with (
            ieee_float32(),
            allowed_products(),
            torch.autocast(rows.device.type, enabled=False),
        ):
            if similarity is None:
                return rows @ setting.reports.T
            return scored(rows, setting.reports, similarity)


def _require_numbers(bad_versions: int, versions: int, model: str) -> None:
    """A NaN compares as false with everything: a search would take it for a report that
    nothing pushes out.
    """
    if bad_versions:
        raise EmbeddingError(
            f"Expected finite scores from {model}, got NaN or infinity for"
            f" {bad_versions} of {versions} hidden versions of its images. Look for"
            " NaN or zero outputs where much of an image is hidden."
        )
