"""Whether two processes would make the same numbers of the same batch."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...measure.embeddings.identity import may_take
from ...measure.embeddings.keys import machine_identity, model_identity

if TYPE_CHECKING:
    from ...measure.embeddings.identity import ModelIdentity
    from ...measure.embeddings.shards import ModelShards
    from ...measure.sweep.plan import SweepPlan


@dataclass(frozen=True, repr=False)
class Sameness:
    """What a process makes its numbers from."""

    node: str
    """The name of its machine, for messages."""
    identity: ModelIdentity
    """That of the model; of the machine alone where the model's is not known."""
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
            identity or machine_identity(plan.model.device),
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
            yield "the data set's images or reports"


def _inputs_digest(plan: SweepPlan) -> bytes:
    pairs = plan.pairs
    cells = [f"{cell.occluder} {cell.level!r} {cell.seed}" for cell in plan.cells]
    digest = hashlib.sha256(json.dumps([plan.batch_size, cells]).encode())
    for name in (*pairs.image_ids, *pairs.texts):
        # Written as JSON, so that no other names join to the same bytes.
        digest.update(json.dumps(name).encode())
    digest.update(pairs.image_groups.tobytes() + pairs.report_groups.tobytes())
    return digest.digest()
