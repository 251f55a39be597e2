"""What a run leaves behind: saved runs, attempts, fingerprints, stored embeddings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from pytest_retrieval_robust.core.errors import ModelError
from pytest_retrieval_robust.gate.ledger import START, Attempt, Line
from pytest_retrieval_robust.measure.drift.saved import _content_digest as drift_digest
from pytest_retrieval_robust.measure.drift.saved import read_fingerprint
from pytest_retrieval_robust.measure.embeddings.shards import EncodedBatch
from pytest_retrieval_robust.measure.embeddings.store import EmbeddingStore
from pytest_retrieval_robust.reports.saved.arrays import RANKS_FILE
from pytest_retrieval_robust.reports.saved.read import RUN_FILE, load_run
from pytest_retrieval_robust.run.ledger_file import LedgerFile

from .mutators import json_lines_of, json_of, zip_of
from .saved_run import digest_of_ranks, honest_run, run_json, sealed
from .target import BrokenPromiseError, Read, Target

FINGERPRINT_OF = "ours"
SHARD_KEY = "a" * 64
SHARD_IMAGES = 3


def _run_json(folder: Path) -> Read:
    run = honest_run(folder / "run")
    digest = digest_of_ranks(run)

    def read(content: bytes) -> object:
        (run / RUN_FILE).write_bytes(sealed(content, digest))
        return load_run(run)

    return read


def _ranks(folder: Path) -> Read:
    run = honest_run(folder / "run")
    written = run_json(run)

    def read(content: bytes) -> object:
        (run / RANKS_FILE).write_bytes(content)
        (run / RUN_FILE).write_bytes(sealed(written, digest_of_ranks(run)))
        return load_run(run)

    return read


def _attempts(folder: Path) -> Read:
    file = folder / "attempts.jsonl"
    ledger = LedgerFile(file)

    def read(content: bytes) -> object:
        file.write_bytes(_chained(content))
        return ledger.read()

    return read


def _chained(content: bytes) -> bytes:
    """A ledger whose hashes fit its lines; what is no ledger stays as it is."""
    previous = START
    lines = []
    for written in content.splitlines():
        try:
            data: dict[str, Any] = json.loads(written)
            del data["previous"], data["sha256"]
            line = Line(Attempt(**data), previous)
            lines.append(line.text.encode())
        except (ValueError, TypeError, KeyError, RecursionError):
            return content
        previous = line.sha256
    return b"".join(lines)


def _fingerprints(folder: Path) -> Read:
    file = folder / f"{FINGERPRINT_OF}.json"

    def read(content: bytes) -> object:
        file.write_bytes(_with_digest(content))
        return read_fingerprint(file, FINGERPRINT_OF)

    return read


def _with_digest(content: bytes) -> bytes:
    try:
        data: Any = json.loads(content)
        data["content_sha256"] = drift_digest(data)
        return json.dumps(data).encode()
    except (ValueError, TypeError, AttributeError, RecursionError):
        return content


def honest_arrays() -> dict[str, Any]:
    """The arrays of a shard of images."""
    rng = np.random.default_rng(0)
    return EncodedBatch(
        rows=rng.random((SHARD_IMAGES, 4), dtype=np.float32),
        shares=rng.random(SHARD_IMAGES),
        visible=1.0,
        digests=np.zeros((SHARD_IMAGES, 32), dtype=np.uint8),
        is_readable=np.ones(SHARD_IMAGES, dtype=np.bool_),
    ).as_arrays()


def _shards(folder: Path) -> Read:
    """A damaged shard is encoded again: nothing is refused aloud, nothing wrong is read."""
    store = EmbeddingStore(folder / "embeddings")
    right = honest_arrays()
    store.save(SHARD_KEY, right, {"made": "by a fuzzer"})
    (shard,) = store.files()

    def read(content: bytes) -> None:
        shard.path.write_bytes(content)
        arrays = store.load(SHARD_KEY)
        if arrays is None:
            raise ModelError("Expected a whole shard, got a damaged one.")
        if not _are_equal(arrays, right):
            raise BrokenPromiseError("other arrays were read")

    return read


def _are_equal(arrays: dict[str, Any], right: dict[str, Any]) -> bool:
    if arrays.keys() != right.keys():
        return False
    return all(np.array_equal(arrays[name], right[name]) for name in right)


TARGETS = (
    Target(
        "run-json",
        "`run.json` of a saved run, beside its ranks",
        _run_json,
        mutate=json_of,
        # Names of models and data sets are quoted.
        hides_canary=lambda _: False,
        most_bytes=32768,
    ),
    Target(
        "ranks",
        "`ranks.npz` of a saved run",
        _ranks,
        mutate=zip_of,
        most_bytes=32768,
    ),
    Target("attempts", "the ledger of attempts", _attempts, mutate=json_lines_of),
    Target(
        "fingerprints",
        "a model's fingerprint",
        _fingerprints,
        mutate=json_of,
        hides_canary=lambda _: False,
        most_bytes=32768,
    ),
    Target("shards", "stored embeddings", _shards, mutate=zip_of),
)
