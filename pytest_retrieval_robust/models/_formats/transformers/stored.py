"""Which keys the weights files of a folder hold, as transformers picks the files."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ..._files.checkpoint import keys_in
from ..._files.prefixes import prefixes_of
from ..._files.weights_file import flat_keys_in
from .source import Source

_NAMES = ("model.safetensors", "pytorch_model.bin")
"""In this order transformers looks for a file, and for the index of its shards."""


@dataclass(frozen=True, repr=False)
class StoredKeys:
    """The keys of a checkpoint as they are written, before any library renames them."""

    keys: tuple[str, ...]
    file: Path | None
    """The one file that holds all of them; None for shards."""
    is_nested: bool = False
    """Whether the tensors lie under a key of training code (`state_dict`)."""


def stored_keys(source: Source) -> StoredKeys | None:
    """The keys of a source's weights; None if its files are of other names, or elsewhere."""
    folder = source.folder
    if folder is None:
        return None
    for name in _NAMES:
        file = folder / name
        if file.is_file():
            return _keys_of(source.name, file)
        index = folder / f"{name}.index.json"
        if index.is_file():
            return _keys_of_shards(index)
    return None


def _keys_of(name: str, file: Path) -> StoredKeys:
    if file.suffix == ".safetensors":
        return StoredKeys(tuple(keys_in([file])), file)
    flat = flat_keys_in(name, file)
    return StoredKeys(flat or (), file, is_nested=flat is None)


def _keys_of_shards(index: Path) -> StoredKeys | None:
    try:
        weight_map = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        return StoredKeys(tuple(weight_map), None)
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None  # The library refuses a damaged index itself.


def is_filled_twice(
    stored: StoredKeys, own: Collection[str], unexpected: Collection[str]
) -> bool:
    """Whether a load had two stored tensors for one weight, of which one is lost.

    transformers takes some prefixes off by itself (`clip.` for a CLIP): weights and a
    copy of them under such a prefix then meet, and no one knows which of them is left.
    """
    # Version 4 takes the copy, and reports the weights themselves as unexpected.
    if not set(own).intersection(stored.keys).isdisjoint(unexpected):
        return True
    taken = set(stored.keys).difference(unexpected)
    sets = {"", *prefixes_of(stored.keys, own)}
    uses = Counter(key for prefix in sets for key in own if f"{prefix}{key}" in taken)
    return any(count > 1 for count in uses.values())
