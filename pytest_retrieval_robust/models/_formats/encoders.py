"""What every encoder of this folder shares: its `repr`, dtypes, constants and unit rows."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...core.plain_text import facts_as_html, plain
from .. import ModelCard, StatesPrecision

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_SHOWN_FACTS = {
    "licence": "licence",
    "parameters": "parameters",
    "pixels per side": "input_size",
    "tokens per report": "context_length",
    "SHA-256": "sha256",
}
"""What a notebook shows of a card. Its source may be a folder, and is left out."""
_SHORTEST = 1e-12
"""Length that a zero row is divided by, so that it stays zero."""


class ShownEncoder:
    """How an encoder is shown: in a line, and as a small table in a notebook.

    Neither holds a path.
    """

    name: str
    device: str
    card: ModelCard

    def __repr__(self) -> str:
        kind = type(self).__name__
        return f"<{kind} {plain(self.name)} on {', '.join(self._place())}>"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        facts: dict[str, object] = {"on": ", ".join(self._place())}
        known = self.card.as_json()
        for fact, field in _SHOWN_FACTS.items():
            facts[fact] = known[field]
        return facts_as_html(self.name, facts)

    def _place(self) -> list[str]:
        """The device, and the precision where the encoder states one."""
        if isinstance(self, StatesPrecision):
            return [self.device, self.precision]
        return [self.device]


def torch_dtype(precision: str) -> torch.dtype:
    return _DTYPES[precision]


def channel_constants(values: Sequence[float], device: str) -> Tensor:
    """One value per channel as (1, C, 1, 1), to normalise (B, C, H, W) pixels with."""
    return torch.tensor(values, device=device).reshape(1, -1, 1, 1)


def unit_rows(features: Tensor) -> Tensor:
    """Rows of length 1 in float32.

    A zero or NaN row stays one: the sweep reports it with the image's id hash.
    """
    # In float32 before the length, whose squares overflow in half precision.
    rows = features.float()
    lengths: Tensor = rows.norm(dim=-1, keepdim=True).clamp_min(_SHORTEST)
    return rows / lengths
