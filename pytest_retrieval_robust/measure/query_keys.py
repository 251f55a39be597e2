"""Keys that name a query in saved runs: the same in every run of the same data, and no
way back to an id or a text.

The hash's key is made of all ids and texts and is written nowhere: without the data
nobody can test a guess, and with the data there is nothing left to guess.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .pairs import Pairs


def query_arrays(pairs: Pairs) -> dict[str, NDArray[np.int64]]:
    """Per image and per report a 63-bit key (a keyed hash), the patient cluster that it
    belongs to, and the number of answers that are right for it, from which chance
    follows.

    Clusters are numbered by first appearance: 0, 1, ... No id, hash or order of a
    patient's own is in them.
    """
    secret = secret_of(pairs)
    image_cluster, report_cluster = cluster_labels(pairs)
    return {
        "image_query_key": keys_of(pairs.image_ids, secret),
        "report_query_key": keys_of(pairs.texts, secret),
        "cluster": image_cluster,
        "report_cluster": report_cluster,
        "image_right": _right_answers(pairs.image_groups, pairs.report_groups),
        "report_right": _right_answers(pairs.report_groups, pairs.image_groups),
    }


def _right_answers(
    query_groups: NDArray[np.int64], gallery_groups: NDArray[np.int64]
) -> NDArray[np.int64]:
    """(N,) how many of the gallery belong to the group of each query."""
    groups, counts = np.unique(gallery_groups, return_counts=True)
    place = np.searchsorted(groups, query_groups).clip(max=len(groups) - 1)
    return np.where(groups[place] == query_groups, counts[place], 0).astype(np.int64)


def cluster_labels(pairs: Pairs) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The patient of each image, and of each report: that of the first image it is right for.

    A text that several patients share is one query, and can belong to one of them only;
    one that no image matches is alone.
    """
    numbers = {
        patient: number for number, patient in enumerate(dict.fromkeys(pairs.patients))
    }
    of_images = np.array(
        [numbers[patient] for patient in pairs.patients], dtype=np.int64
    )
    groups, first = np.unique(pairs.image_groups, return_index=True)
    place = np.searchsorted(groups, pairs.report_groups).clip(max=len(groups) - 1)
    matched = groups[place] == pairs.report_groups
    alone = len(numbers) + np.arange(len(matched))
    return of_images, np.where(matched, of_images[first[place]], alone).astype(np.int64)


def secret_of(pairs: Pairs) -> bytes:
    """The key of this data's hashes."""
    digest = hashlib.blake2b(person=b"query-key")
    for word in (*pairs.dataset.image_ids, "\0", *pairs.dataset.reports):
        digest.update(word.encode() + b"\0")
    return digest.digest()


def id_hash(image_id: str, secret: bytes) -> str:
    """Eight hex digits that name an image to whoever has the data, and to nobody else."""
    return hashlib.blake2b(image_id.encode(), key=secret, digest_size=4).hexdigest()


def keys_of(words: list[str], secret: bytes) -> NDArray[np.int64]:
    """(N,) a 63-bit keyed hash of each word."""
    digests = (
        hashlib.blake2b(word.encode(), key=secret, digest_size=8).digest()
        for word in words
    )
    return np.array(
        [int.from_bytes(digest, "big") >> 1 for digest in digests], dtype=np.int64
    )
