"""What a model's embeddings follow from, in parts that two machines can compare."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...core.cases import Json

if TYPE_CHECKING:
    from .store import EmbeddingStore

IDENTITIES = "identities"
"""Folder within a store: which kinds of device its embeddings were made on."""
DEVICE_LIBRARIES = ("cuda", "hip", "triton", "onnxruntime-gpu")
DEVICE_LIBRARY_PREFIX = "nvidia-"
"""Libraries that a machine without a device need not have."""
ANY_KIND = "any"
"""Stands for every kind of device in a list of those that may be mixed."""
_SAME_ROW = {"fp32": 1e-3}
_SAME_ROW_IN_HALF_PRECISION = 2e-2
"""How far rows of two kinds of device may lie apart, as a share of their length."""


@dataclass(frozen=True, eq=False, repr=False)
class ModelIdentity:
    """Everything that a model's embeddings follow from. Equal ones give equal numbers.

    Args:
        declared: The card, precision, decoding, kind of device, and library versions.
        prepared: A digest of the fixed pictures as the model prepares them, which is done
            on the host.
        rows: (B, D) what the model makes of fixed pictures and sentences, by their kind.
        code: A digest of the code that bears on embeddings.
    """

    declared: Json
    prepared: bytes
    rows: Mapping[str, NDArray[np.float32]]
    code: bytes

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ModelIdentity) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    @cached_property
    def key(self) -> bytes:
        """What the keys of embeddings are made of."""
        digest = hashlib.sha256(self.prepared)
        for kind, rows in sorted(self.rows.items()):
            digest.update(f"{kind} {rows.shape}".encode() + rows.tobytes())
        declared = json.dumps(self.declared, sort_keys=True).encode()
        return declared + digest.digest() + self.code

    @property
    def device(self) -> str:
        """The kind of device, such as `NVIDIA H100 80GB HBM3` or `cpu AVX2`."""
        return str(self.declared["device"])

    @property
    def family(self) -> str:
        """Equal for the same model on any kind of device, 40 hex digits."""
        return hashlib.blake2b(
            json.dumps(self._of_any_device, sort_keys=True).encode()
            + self.prepared
            + self.code,
            digest_size=20,
        ).hexdigest()

    @property
    def _of_any_device(self) -> Json:
        libraries = {
            name: _public(version)
            for name, version in self.declared["libraries"].items()
            if not _is_of_a_device(name)
        }
        return {**self.declared, "device": None, "libraries": libraries}

    def agrees_with(self, other: ModelIdentity) -> bool:
        """Whether the rows differ by no more than rounding on another kind of device does."""
        if self.rows.keys() != other.rows.keys():
            return False
        precision = str(self.declared.get("precision"))
        most = _SAME_ROW.get(precision, _SAME_ROW_IN_HALF_PRECISION)
        for kind, rows in self.rows.items():
            others = other.rows[kind]
            if rows.shape != others.shape:
                return False
            lengths = np.linalg.norm(rows, axis=1)
            if bool((np.linalg.norm(rows - others, axis=1) > most * lengths).any()):
                return False
        return True

    def is_other_kind_of(self, other: ModelIdentity) -> bool:
        """Whether the two differ in nothing but their kinds of device, and by rounding."""
        is_other = self.device != other.device
        return is_other and self.family == other.family and self.agrees_with(other)

    def differences(self, other: ModelIdentity) -> list[str]:
        """What differs, a few words each: `torch 2.15.0, not 2.14.1`."""
        found = list(_differing(self.declared, other.declared))
        if self.code != other.code:
            found.append("other code of this package or of the model")
        if self.prepared != other.prepared:
            found.append("images that are prepared in another way")
        # Behaviour follows from all the above: it is named where nothing else explains it.
        if not found and self.key != other.key:
            found.append("other rows of fixed pictures and sentences")
        return found


def _is_of_a_device(library: str) -> bool:
    return library in DEVICE_LIBRARIES or library.startswith(DEVICE_LIBRARY_PREFIX)


def _public(version: str | None) -> str | None:
    """A version without what it was built for: `2.15.0` of `2.15.0+cpu`."""
    return None if version is None else version.partition("+")[0]


def _differing(own: Json, others: Json, prefix: str = "") -> Iterator[str]:
    for name in sorted({*own, *others}):
        value = own.get(name)
        other = others.get(name)
        if isinstance(value, dict) and isinstance(other, dict):
            within = "" if name == "libraries" else f"{name} "
            yield from _differing(value, other, prefix + within)
        elif value != other:
            yield f"{prefix}{name} {_shown(value)}, not {_shown(other)}"


def _shown(value: object) -> str:
    return "none" if value is None else str(value)


def may_take(kind: str, kinds: Sequence[str]) -> bool:
    """Whether a kind of device is among those that the user has named."""
    return kind in kinds or ANY_KIND in kinds


# Kept in a store, for machines without the device


def keep_identity(store: EmbeddingStore, identity: ModelIdentity) -> bool:
    """Note in a store on which kind of device embeddings of a model were made.

    Returns whether the note is there.
    """
    notes = _notes(store, identity)
    key = hashlib.blake2b(identity.key, digest_size=20).hexdigest()
    arrays: dict[str, NDArray[Any]] = {f"rows {n}": r for n, r in identity.rows.items()}
    arrays["prepared"] = np.frombuffer(identity.prepared, dtype=np.uint8)
    arrays["code"] = np.frombuffer(identity.code, dtype=np.uint8)
    text = json.dumps(identity.declared).encode()
    arrays["declared"] = np.frombuffer(text, dtype=np.uint8)
    about = {"holds": "an identity"}
    return notes.load(key) is not None or notes.save(key, arrays, about)


def kept_identities(
    store: EmbeddingStore, identity: ModelIdentity
) -> list[ModelIdentity]:
    """The identities of the same model on the kinds of device that a store knows of.

    Those whose rows are not the model's are left out. They come in the order of their
    devices' names.
    """
    kept_ones = _identities_in(_notes(store, identity))
    found = [kept for kept in kept_ones if kept.agrees_with(identity)]
    return sorted(found, key=lambda kept: (kept.device, kept.key))


def nearest_differences(store: EmbeddingStore, identity: ModelIdentity) -> str:
    """What sets the most similar identity in a store apart; empty if it has none.

    It says why embeddings that are there cannot be taken.
    """
    nearest: list[str] = []
    for folder in sorted((store.folder / IDENTITIES).glob("*")):
        for kept in _identities_in(store.within(IDENTITIES, folder.name)):
            is_same_card = kept.declared["card"] == identity.declared["card"]
            differences = kept.differences(identity)
            if is_same_card and (not nearest or len(differences) < len(nearest)):
                nearest = differences
    if not nearest:
        return ""
    return f"those of another set-up only ({'; '.join(nearest)})"


def _identities_in(notes: EmbeddingStore) -> Iterator[ModelIdentity]:
    for file in notes.files():
        arrays = notes.load(file.key)
        kept = None if arrays is None else _identity_of(arrays)
        if kept is not None:
            yield kept


def _notes(store: EmbeddingStore, identity: ModelIdentity) -> EmbeddingStore:
    return store.within(IDENTITIES, identity.family)


def _identity_of(arrays: Mapping[str, NDArray[Any]]) -> ModelIdentity | None:
    """None for arrays that another version wrote."""
    if not arrays.keys() >= {"prepared", "code", "declared"}:
        return None
    try:
        declared = json.loads(arrays["declared"].tobytes())
    except ValueError:
        return None
    if not _is_declaration(declared):
        return None
    rows = {
        name.removeprefix("rows "): array
        for name, array in arrays.items()
        if name.startswith("rows ") and array.ndim == 2 and array.dtype == np.float32
    }
    return ModelIdentity(
        declared, arrays["prepared"].tobytes(), rows, arrays["code"].tobytes()
    )


def _is_declaration(declared: object) -> bool:
    if not isinstance(declared, dict):
        return False
    libraries = declared.get("libraries")
    return (
        isinstance(declared.get("card"), dict)
        and isinstance(declared.get("device"), str)
        and isinstance(libraries, dict)
        and all(isinstance(each, str | None) for each in libraries.values())
    )
