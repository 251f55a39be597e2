"""What an actor does that does not see the controller's store."""

from __future__ import annotations

import numpy as np

from pytest_retrieval_robust.measure.embeddings.identity import ModelIdentity
from pytest_retrieval_robust.measure.embeddings.shards import EncodedBatch, ModelShards
from pytest_retrieval_robust.run.ray.keys_only import KeysOnly


def test_batches_get_their_keys_and_nothing_is_written() -> None:
    identity = ModelIdentity({"device": "cpu", "libraries": {}}, b"", {}, b"")
    shards = ModelShards(KeysOnly(), "model", identity)
    assert shards.save_reports(["a report"], np.zeros((1, 4), dtype=np.float32))
    batch = EncodedBatch.of_broken_images(2)
    assert shards.save_images(shards.image_key(b"", [("1", b"2")]), batch, {})
    assert shards.load_reports(["a report"]) is None
    assert not shards.has_reports(["a report"])
    assert not list(shards.store.files())
