"""Whether two processes would make the same numbers of the same batch."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...core.cases import Cell
from ...core.foreign import FOREIGN
from ...measure.embeddings.identity import may_take
from ...measure.embeddings.keys import likeness, model_identity

if TYPE_CHECKING:
    from ...measure.embeddings.identity import ModelIdentity
    from ...measure.embeddings.shards import ModelShards
    from ...measure.sweep.changes import ImageChange
    from ...measure.sweep.plan import SweepPlan
    from ...texts.noise import TextNoise

_TEXT = "FINDINGS: The heart is normal in size. No pleural effusion is seen."


@dataclass(frozen=True, repr=False)
class Sameness:
    """What a process makes its numbers from."""

    node: str
    """The name of its machine, for messages."""
    identity: ModelIdentity
    """That of the model; as much of it as is known where its weights have no hash."""
    is_stored: bool
    """Whether the model's identity is known, so that its embeddings have keys."""
    inputs: bytes
    """A digest of the images' ids, the reports, and how they are cut into batches."""

    @classmethod
    def of(cls, plan: SweepPlan, shards: ModelShards | None) -> Sameness:
        """That of this process. `shards` may know the model's identity already."""
        identity = None
        if shards is not None:
            identity = shards.identity
        else:
            identity = model_identity(plan.model, plan.precision, plan.decoding)
        return cls(
            socket.gethostname(),
            identity or likeness(plan.model, plan.precision, plan.decoding),
            identity is not None,
            _inputs_digest(plan),
        )

    def differences(self, other: Sameness, kinds: Sequence[str] = ()) -> Iterator[str]:
        """What differs in `other`, a few words each.

        A kind of device among `kinds` may differ from this one, by rounding.
        """
        is_mixed = (
            may_take(self.identity.device, kinds)
            and may_take(other.identity.device, kinds)
            and other.identity.is_other_kind_of(self.identity)
        )
        if not is_mixed:
            yield from other.identity.differences(self.identity)
        if self.inputs != other.inputs:
            yield "what is done to images and reports, or the data set's images or reports"


def _inputs_digest(plan: SweepPlan) -> bytes:
    pairs = plan.pairs
    cells = [
        f"{cell.family} {cell.occluder} {cell.level!r} {cell.seed}"
        for cell in (*plan.cells, *plan.noises)
    ]
    digest = hashlib.sha256(json.dumps([plan.batch_size, cells]).encode())
    digest.update(_changed_examples(plan))
    for name in (*pairs.image_ids, *pairs.texts):
        # Written as JSON, so that no other names join to the same bytes.
        digest.update(json.dumps(name).encode())
    digest.update(pairs.image_groups.tobytes() + pairs.report_groups.tobytes())
    return digest.digest()


def _changed_examples(plan: SweepPlan) -> bytes:
    """What each occluder, corruption and noise makes of a fixed example."""
    examples: dict[tuple[str, str], bytes] = {}
    for cell, change in plan.changes.items():
        what = (cell.family, cell.occluder)
        if what not in examples:
            examples[what] = _changed_picture(change)
    for cell, noise in plan.noises.items():
        what = (cell.family, cell.occluder)
        if what not in examples:
            examples[what] = _noised_text(noise)
    return b"".join(examples.values())


def _changed_picture(change: ImageChange) -> bytes:
    """A fixed picture, changed; nothing if it takes more than that."""
    import torch

    from ...core.encoding import WHOLE
    from ...measure.sweep.changes import changed_pixels

    pixels = torch.linspace(0, 1, 3 * 32 * 32).reshape(1, 3, 32, 32)
    cell = Cell("fixed", 0.5, 0)
    # One that follows the model, or that masks guide, has to be bound first.
    with suppress(*FOREIGN):
        changed = changed_pixels(
            change, cell, pixels, ["fixed"], [WHOLE], out=torch.empty_like(pixels)
        )
        return bytes(changed.cpu().numpy().tobytes())
    return b""


def _noised_text(noise: TextNoise) -> bytes:
    """A fixed text, changed; nothing where that fails."""
    with suppress(*FOREIGN):
        return json.dumps(list(noise.apply([_TEXT], 0.5, 0))).encode()
    return b""
