"""Pixels of other images, for the fill `donor`: a fixed set of a data set's images,
chosen by their ids alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING

from ._frames import view_of
from .hashing import host_words

if TYPE_CHECKING:
    import torch

    from .fills import Canvas

DONORS = 16


@dataclass(frozen=True, eq=False, repr=False)
class Donors:
    """Prepared images: `pixels` (D, 3, H, W) as the model wants them, floating on the
    0..1 scale, with their ids and frames.
    """

    ids: Sequence[str]
    pixels: torch.Tensor
    frames: Sequence[tuple[float, float, float, float]]

    @cached_property
    def digest(self) -> bytes:
        """Changes with anything that a filling is made of."""
        told = (
            f"{list(self.ids)} {list(self.frames)} {tuple(self.pixels.shape)}".encode()
        )
        return sha256(told + self.pixels.cpu().numpy().tobytes()).digest()

    def filling(self, canvas: Canvas) -> torch.Tensor:
        """(B, 3, H, W): the same relative place of each image's donor, which (seed,
        image id) choose; never itself.
        """
        import torch

        view = canvas.view
        chosen = [self._donor_of(identity, canvas.seed) for identity in canvas.ids]
        theirs = view_of(
            [self.frames[donor] for donor in chosen],
            len(chosen),
            (view.height, view.width),
        )
        taken = self.pixels[chosen].to(canvas.pixels.device)
        count = len(chosen)
        rows = theirs.pixels_at(1, view.rows.expand(count, -1)).to(taken.device)
        columns = theirs.pixels_at(0, view.columns.expand(count, -1)).to(taken.device)
        found = taken.take_along_dim(rows[:, None, :, None], 2).take_along_dim(
            columns[:, None, None, :], 3
        )
        if canvas.pixels.dtype == torch.uint8:
            found = (found * 255).round().clamp(0, 255)
        return found.to(canvas.pixels.dtype)

    def _donor_of(self, identity: str, seed: int) -> int:
        first = int(host_words(identity, seed, "donor", 1)[0]) % len(self.ids)
        return (first + 1) % len(self.ids) if self.ids[first] == identity else first
