"""Query keys: stable for the same data, different for others, and no way back without it."""

from __future__ import annotations

import hashlib

import numpy as np

from pytest_retrieval_robust import load_dataset
from pytest_retrieval_robust.measure.pairs import pairs_of
from pytest_retrieval_robust.measure.query_keys import (
    id_hash,
    keys_of,
    query_arrays,
    secret_of,
)

from .test_pairs import Listed

# Images 0 and 2 are one patient's; report 3 belongs to no image.
LISTED = Listed(["a", "b", "a", "d"], [5, 6, 5], [6, 5, 5, 9])


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


def test_a_secret_is_made_of_all_ids_and_texts_and_tells_them_apart() -> None:
    words = b"image 0\0image 1\0image 2\0\0\0a\0b\0a\0d\0"
    expected = hashlib.blake2b(words, person=b"query-key").digest()
    assert secret_of(pairs_of(LISTED)) == expected
    # A limit changes no key.
    assert secret_of(pairs_of(LISTED, 1)) == expected


def test_a_key_is_the_first_63_bits_of_a_keyed_hash() -> None:
    hashed = hashlib.blake2b("é".encode(), key=b"secret", digest_size=8).digest()
    [key] = keys_of(["é"], b"secret").tolist()
    assert f"{key:063b}" == f"{int.from_bytes(hashed, 'big'):064b}"[:63]
    assert keys_of([], b"secret").dtype == np.int64
    assert id_hash("é", b"secret") == (
        hashlib.blake2b("é".encode(), key=b"secret", digest_size=4).hexdigest()
    )


def test_a_saved_run_counts_the_right_answers_and_numbers_the_patients() -> None:
    pairs = pairs_of(LISTED)
    arrays = query_arrays(pairs)
    secret = secret_of(pairs)
    assert arrays["image_right"].tolist() == [2, 1, 2]
    assert arrays["report_right"].tolist() == [1, 2, 2, 0]
    assert arrays["cluster"].tolist() == [0, 1, 0]
    # The last report is no patient's.
    assert arrays["report_cluster"].tolist() == [1, 0, 0, 5]
    ids = ["image 0", "image 1", "image 2"]
    assert arrays["image_query_key"].tolist() == keys_of(ids, secret).tolist()
    of_texts = keys_of(["a", "b", "a", "d"], secret)
    assert arrays["report_query_key"].tolist() == of_texts.tolist()
    assert len(set(arrays["report_query_key"].tolist())) == 3
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.int64)}
