"""How much memory ranks take, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest


def test_memory_beyond_the_embeddings_is_a_few_tiles() -> None:
    code = """
import resource, numpy as np, torch
from pytest_retrieval_robust.retrieval.ranking import positive_ranks_both
torch.set_num_threads(1)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rows = np.random.default_rng(0).standard_normal((6000, 64), dtype=np.float32)
own = np.arange(2000)
positive_ranks_both(rows[:2000], rows[:2000], own, own, tile=256)  # loads the libraries
before = peak()
positive_ranks_both(rows, rows, np.arange(6000), np.arange(6000), tile=256)
print(peak() - before)
"""
    pytest.importorskip("resource")
    grown = int(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
    )
    assert grown < 40_000  # KiB; all scores would be 140,000
