"""Kernels for GPUs that no test machine has: Triton interprets them on the processor."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from pytest_retrieval_robust.retrieval.ranking._kernels import fused_on


def test_fused_kernels_count_what_the_plain_ones_count() -> None:
    pytest.importorskip("triton")
    ended = subprocess.run(
        [sys.executable, "-m", "tests.retrieval.fused_kernels"],
        env={**os.environ, "TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "alike\n"


def test_where_they_do_not_run_the_plain_ones_are_used() -> None:
    assert fused_on(torch.device("cpu")) is None
    if not torch.cuda.is_available():
        # Triton finds no driver, and nobody hears of it.
        assert fused_on(torch.device("cuda:0")) is None
