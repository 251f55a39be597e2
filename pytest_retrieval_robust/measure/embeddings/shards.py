"""What the embedding store keeps of one model: batches of images, and of reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .identity import keep_identity
from .keys import batch_key, model_identity, texts_key

if TYPE_CHECKING:
    from ...models import DualEncoder
    from .identity import ModelIdentity
    from .store import EmbeddingStore

DIGEST_BYTES = 32
_MEMBERS = {"rows", "shares", "visible", "digests", "is_readable", "hardware"}

_ALTERED = "altered"


@dataclass(frozen=True, eq=False, repr=False)
class EncodedBatch:
    """What a cell keeps of a batch of B images, of which K could be read."""

    rows: NDArray[np.float32]
    """(K, D) embeddings."""
    shares: NDArray[np.float64]
    """(K,) the share of each source image that was hidden."""
    visible: float
    """The sum over the images of the share of their visible part that was hidden."""
    digests: NDArray[np.uint8]
    """(K, 32) SHA-256 of each decoded image."""
    is_readable: NDArray[np.bool_]
    """(B,) false for a broken image, which the data set skips."""
    hardware: str = ""
    """What it was encoded on, as `timing.hardware.hardware_name` says; empty if not known."""
    altered: int | None = None
    """How many images a corruption changed; None where none was used. Shards of other
    cells have no such member.
    """

    def as_arrays(self) -> dict[str, NDArray[Any]]:
        counts = {} if self.altered is None else {_ALTERED: np.array(self.altered)}
        return {
            "rows": self.rows,
            "shares": self.shares,
            "visible": np.array(self.visible),
            "digests": self.digests,
            "is_readable": self.is_readable,
            "hardware": np.frombuffer(self.hardware.encode(), dtype=np.uint8),
            **counts,
        }

    @classmethod
    def of_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], images: int
    ) -> EncodedBatch | None:
        """The batch of a shard; None if the arrays are not those of `images` images."""
        if not arrays.keys() >= _MEMBERS:
            return None
        rows = arrays["rows"]
        shares = arrays["shares"]
        visible = arrays["visible"]
        digests = arrays["digests"]
        is_readable = arrays["is_readable"]
        readable = int(np.count_nonzero(is_readable))
        # A shard may be damaged, or be written by another version.
        fits = (
            is_readable.dtype == np.bool_
            and is_readable.shape == (images,)
            and rows.dtype == np.float32
            and rows.ndim == 2
            and len(rows) == readable
            and shares.dtype == np.float64
            and shares.shape == (readable,)
            and visible.dtype == np.float64
            and visible.shape == ()
            and digests.dtype == np.uint8
            and digests.shape == (readable, DIGEST_BYTES)
            and bool(np.isfinite(rows).all())
        )
        if not fits:
            return None
        hardware = arrays["hardware"].tobytes().decode(errors="replace")
        altered = _count(arrays.get(_ALTERED), readable)
        return cls(
            rows, shares, float(visible), digests, is_readable, hardware, altered
        )

    @classmethod
    def of_broken_images(cls, images: int) -> EncodedBatch:
        """A batch of which no image can be read: it has no rows, and they no width."""
        return cls(
            rows=np.zeros((0, 0), dtype=np.float32),
            shares=np.zeros(0, dtype=np.float64),
            visible=0.0,
            digests=np.zeros((0, DIGEST_BYTES), dtype=np.uint8),
            is_readable=np.zeros(images, dtype=np.bool_),
        )

    @property
    def digests_of_all(self) -> NDArray[np.uint8]:
        """(B, 32) the digests, zeros for a broken image."""
        digests = np.zeros((len(self.is_readable), DIGEST_BYTES), dtype=np.uint8)
        digests[self.is_readable] = self.digests
        return digests


def _count(value: NDArray[Any] | None, most: int) -> int | None:
    """A whole number from 0 to `most`; None for anything else."""
    if value is None or value.shape != () or value.dtype.kind != "i":
        return None
    return int(value) if 0 <= int(value) <= most else None


@dataclass(repr=False)
class ModelShards:
    """The shards of one model in one precision on one kind of device."""

    store: EmbeddingStore
    name: str
    identity: ModelIdentity
    _is_noted: bool = field(default=False, init=False)
    """Whether the store says already on which kind of device its embeddings were made."""
    _has_looked: bool = field(default=False, init=False)

    @classmethod
    def of(
        cls,
        store: EmbeddingStore | None,
        model: DualEncoder,
        precision: str,
        decoding: str = "host",
    ) -> ModelShards | None:
        """None without a store, and if the model's identity is not known.

        See `keys.model_identity`.
        """
        if store is None:
            return None
        identity = model_identity(model, precision, decoding)
        return None if identity is None else cls(store, model.name, identity)

    def load_reports(self, texts: Sequence[str]) -> NDArray[np.float32] | None:
        """(B, D) the stored embeddings of a batch of reports."""
        arrays = self._load(texts_key(self.identity.key, texts))
        rows = None if arrays is None else arrays.get("rows")
        if rows is None:
            return None
        # A shard may be written by another version.
        fits = rows.dtype == np.float32 and rows.ndim == 2 and len(rows) == len(texts)
        return rows if fits else None

    def save_reports(self, texts: Sequence[str], rows: NDArray[np.float32]) -> bool:
        """Whether the store has kept them."""
        key = texts_key(self.identity.key, texts)
        about = {"model": self.name, "holds": "reports"}
        return self._save(key, {"rows": rows}, about)

    def image_key(self, occlusion: bytes, images: Sequence[tuple[str, bytes]]) -> str:
        """The key of a batch: (id, content digest) of its images under an occlusion."""
        return batch_key(self.identity.key, occlusion, images)

    def load_images(self, key: str, images: int) -> EncodedBatch | None:
        arrays = self._load(key)
        return None if arrays is None else EncodedBatch.of_arrays(arrays, images)

    def save_images(
        self, key: str, batch: EncodedBatch, about: Mapping[str, object]
    ) -> bool:
        """Whether the store has kept it."""
        described = {"model": self.name, "holds": "images", **about}
        return self._save(key, batch.as_arrays(), described)

    def has_reports(self, texts: Sequence[str]) -> bool:
        """Whether there is a file for a batch of reports, whole or not."""
        return self.store.has(texts_key(self.identity.key, texts))

    def _save(
        self, key: str, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, object]
    ) -> bool:
        is_saved = self.store.save(key, arrays, about)
        if is_saved:
            self._note_identity()
        return is_saved

    def _load(self, key: str) -> dict[str, NDArray[Any]] | None:
        arrays = self.store.load(key)
        # What another process has kept is of use to others only with its note, which
        # that process may have failed to write. A store may be read-only: once will do.
        if arrays is not None and not self._has_looked:
            self._has_looked = True
            self._note_identity()
        return arrays

    def _note_identity(self) -> None:
        """Note, for machines without the device, on which kind embeddings were made."""
        if not self._is_noted:
            self._is_noted = keep_identity(self.store, self.identity)
