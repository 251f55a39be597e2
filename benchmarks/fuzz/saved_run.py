"""A small saved run that parsers of saved runs are given changed copies of."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pytest_retrieval_robust.reports.saved.read import RUN_FILE, content_digest
from tests.saved_runs import make_run

QUERIES = 12


def honest_run(folder: Path) -> Path:
    """Write the run; its ranks are the same each time, its id and dates are not."""
    made = make_run(
        folder.parent / f"{folder.name}-arrays",
        QUERIES,
        levels=(0.0, 0.2),
        ks=(1, 10),
        strata={"view": ["AP", "PA"] * (QUERIES // 2)},
    )
    return made.save(folder)


def sealed(content: bytes, ranks_sha256: str) -> bytes:
    """A `run.json` with the digests that it would have been written with.

    So what is wrong with it is left to the other checks. What is no JSON stays as it is.
    """
    try:
        data: Any = json.loads(content)
        data["run"]["ranks_sha256"] = ranks_sha256
        data["run"]["content_sha256"] = content_digest(data)
        return json.dumps(data).encode()
    except (ValueError, TypeError, KeyError, RecursionError):
        return content


def digest_of_ranks(folder: Path) -> str:
    return hashlib.sha256((folder / "ranks.npz").read_bytes()).hexdigest()


def run_json(folder: Path) -> bytes:
    return (folder / RUN_FILE).read_bytes()
