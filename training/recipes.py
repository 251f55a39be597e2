"""What each reference encoder is made of: data, network, schedule."""

from __future__ import annotations

from dataclasses import asdict, dataclass

SIZE = 96
"""Pixels along each side of a training picture."""


@dataclass(frozen=True)
class Recipe:
    """`pairs` are seen in all, `batch` at a time, out of a pool of `pool` different ones.

    `findings` weighs the loss of naming the findings against the contrastive one; it
    falls in a straight line to `findings_end`. `hidden` is the share of pictures that
    are partly hidden in training (see `training.hiding`).
    """

    network: str = "clip"
    source: str = "synthetic-cxr"
    pairs: int = 100_000
    pool: int = 60_000
    batch: int = 64
    rate: float = 1e-3
    warmup: int = 60
    decay: float = 0.4
    weight_decay: float = 0.05
    average: float = 0.99
    findings: float = 2.0
    findings_end: float = 1.0
    hidden: float = 0.0

    @property
    def steps(self) -> int:
        return max(1, self.pairs // self.batch)

    def factor(self, step: int) -> float:
        """The share of the full learning rate at `step`: warm-up, plateau, linear decay."""
        left = (self.steps - step) / max(1.0, self.decay * self.steps)
        return min(1.0, (step + 1) / self.warmup, left)

    def findings_weight(self, step: int) -> float:
        """The weight of the findings' loss at `step`."""
        return self.findings + (self.findings_end - self.findings) * step / self.steps

    def as_json(self) -> dict[str, str | int | float]:
        """The recipe as plain data."""
        return asdict(self)


RECIPES = {
    "tiny-cxr-clip": Recipe(),
    "tiny-cxr-clip-robust": Recipe(hidden=0.5),
    "tiny-cxr-openclip": Recipe(network="open_clip", pairs=64_000),
    "tiny-general-clip": Recipe(source="synthetic-scenes", pairs=48_000, pool=48_000),
}
