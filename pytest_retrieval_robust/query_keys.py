"""Keys that name a query in saved runs: the same in every run of the same data, and no way back to an id or a text."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .sweep import Pairs


def query_arrays(pairs: Pairs) -> dict[str, NDArray[np.int64]]:
    """Per image and per report a 63-bit key (a hash under the data set's fingerprint), and the image's patient cluster.

    Clusters are numbered by first appearance: 0, 1, ... No id, hash or order of a patient's own is in them.
    """
    secret = bytes.fromhex(pairs.dataset.fingerprint)[:64]
    clusters = {patient: number for number, patient in enumerate(dict.fromkeys(pairs.patients))}
    return {
        "image_query_key": _keys(pairs.image_ids, secret),
        "report_query_key": _keys(pairs.texts, secret),
        "cluster": np.array([clusters[patient] for patient in pairs.patients], dtype=np.int64),
    }


def _keys(words: list[str], secret: bytes) -> NDArray[np.int64]:
    digests = (hashlib.blake2b(word.encode(), key=secret, digest_size=8).digest() for word in words)
    return np.array([int.from_bytes(digest, "big") >> 1 for digest in digests], dtype=np.int64)
