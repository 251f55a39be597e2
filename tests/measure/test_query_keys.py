"""Query keys: stable for the same data, different for others, and no way back without it."""

from __future__ import annotations

import hashlib

import numpy as np

from pytest_retrieval_robust import load_dataset
from pytest_retrieval_robust.measure.pairs import pairs_of
from pytest_retrieval_robust.measure.query_keys import id_hash, query_arrays, secret_of


def test_the_same_data_has_the_same_keys_in_any_part_of_it() -> None:
    data = load_dataset("synthetic-cxr", pairs=12)
    whole = query_arrays(pairs_of(data))
    part = query_arrays(pairs_of(data, 5))
    assert np.array_equal(whole["image_query_key"][:5], part["image_query_key"])
    changed = query_arrays(pairs_of(load_dataset("synthetic-cxr", pairs=11)))
    assert not set(whole["image_query_key"]) & set(changed["image_query_key"])


def test_what_a_saved_run_shows_is_not_the_key() -> None:
    """With the fingerprint, which is public, every id could be tried."""
    pairs = pairs_of(load_dataset("synthetic-cxr", pairs=12))
    public = bytes.fromhex(pairs.dataset.fingerprint)[:64]
    assert secret_of(pairs) != public
    guessed = hashlib.blake2b(
        pairs.image_ids[0].encode(), key=public, digest_size=8
    ).digest()
    assert int.from_bytes(guessed, "big") >> 1 not in set(
        query_arrays(pairs)["image_query_key"]
    )
    assert id_hash(pairs.image_ids[0], public) != id_hash(
        pairs.image_ids[0], secret_of(pairs)
    )
