"""How many reports a model cuts, counted once: a tokenizer reads every report for it."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from ...models import truncated_by

if TYPE_CHECKING:
    from ...models import DualEncoder

_Counts = dict[bytes, int | None]
"""By a digest of the texts."""
# By the model's identity, because models need not be hashable.
_counts: dict[int, tuple[weakref.ref[Any], _Counts]] = {}


def truncated_once(model: DualEncoder, texts: Sequence[str]) -> int | None:
    """What `truncated_by` gives; asked once for the same model object and texts."""
    counts = _counts_of(model)
    digest = _digest_of(texts)
    if digest not in counts:
        # A copy: the method may be a user's, and change what it is given.
        counts[digest] = truncated_by(model, list(texts))
    return counts[digest]


def _counts_of(model: DualEncoder) -> _Counts:
    key = id(model)
    entry = _counts.get(key)
    if entry is not None and entry[0]() is model:
        return entry[1]
    counts: _Counts = {}
    try:
        owner = weakref.ref(model, lambda _: _counts.pop(key, None))
    except TypeError:
        # A model with slots takes no weak reference. It is asked each time.
        return counts
    _counts[key] = (owner, counts)
    return counts


def _digest_of(texts: Sequence[str]) -> bytes:
    digest = sha256()
    for text in texts:
        encoded = text.encode(errors="surrogatepass")
        digest.update(len(encoded).to_bytes(8, "little") + encoded)
    return digest.digest()
