"""Keys that name a query in saved runs: the same in every run of the same data.

No key leads back to an id or a text. The hash's secret is made of all ids and texts and
is written nowhere: without the data nobody can test a guess, and with the data there is
nothing left to guess.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .queries import cluster_labels, nearest_index

if TYPE_CHECKING:
    from .pairs import Pairs


def query_arrays(pairs: Pairs) -> dict[str, NDArray[np.int64]]:
    """What a saved run keeps of each query, per image and per report.

    A 63-bit key (a keyed hash), the patient cluster that it belongs to, and the number of
    answers that are right for it, from which chance follows. Clusters are numbered by
    first appearance, so they hold no id and no hash of a patient. Where the data set has
    strata, the group of each query in each of them, small groups merged.
    """
    secret = secret_of(pairs)
    image_clusters, report_clusters = cluster_labels(pairs)
    return {
        "image_query_key": keys_of(pairs.image_ids, secret),
        "report_query_key": keys_of(pairs.texts, secret),
        "cluster": image_clusters,
        "report_cluster": report_clusters,
        "image_right": _right_answers(pairs.image_groups, pairs.report_groups),
        "report_right": _right_answers(pairs.report_groups, pairs.image_groups),
        **pairs.strata.arrays(),
    }


def _right_answers(
    query_groups: NDArray[np.int64], gallery_groups: NDArray[np.int64]
) -> NDArray[np.int64]:
    """(N,) how many of the gallery belong to the group of each query."""
    groups, counts = np.unique(gallery_groups, return_counts=True)
    index = nearest_index(groups, query_groups)
    return np.where(groups[index] == query_groups, counts[index], 0).astype(np.int64)


def secret_of(pairs: Pairs) -> bytes:
    """The secret of this data's hashes."""
    digest = hashlib.blake2b(person=b"query-key")
    # All ids and texts of the data set, so that a limit changes no key.
    for word in (*pairs.columns.image_ids, "\0", *pairs.columns.reports):
        digest.update(word.encode() + b"\0")
    return digest.digest()


def id_hash(image_id: str, secret: bytes) -> str:
    """Eight hex digits that name an image to those who have the data, and to nobody else."""
    return hashlib.blake2b(image_id.encode(), key=secret, digest_size=4).hexdigest()


def keys_of(words: list[str], secret: bytes) -> NDArray[np.int64]:
    """(N,) a 63-bit keyed hash of each word."""
    keys = []
    for word in words:
        hashed = hashlib.blake2b(word.encode(), key=secret, digest_size=8)
        # 63 bits: arrays hold signed numbers.
        keys.append(int.from_bytes(hashed.digest(), "big") >> 1)
    return np.array(keys, dtype=np.int64)
