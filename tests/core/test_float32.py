"""Encoders run in true float32, and a user's settings are as they were afterwards."""

from __future__ import annotations

import subprocess
import sys
from threading import Thread
from typing import Any

import pytest
import torch
from torch import Tensor

from pytest_retrieval_robust import load_occluder
from pytest_retrieval_robust.core.cases import Cell
from pytest_retrieval_robust.core.errors import ConfigError
from pytest_retrieval_robust.core.float32 import ieee_float32
from pytest_retrieval_robust.measure.breaking import find_breaking
from pytest_retrieval_robust.measure.pairs import pairs_of
from pytest_retrieval_robust.measure.sweep.run import run_sweep
from pytest_retrieval_robust.retrieval.ranking._exact import plain_sums

from ..measure.sweep.test_sweep import RECORDS, Pixels
from .sweeps import encoder_of

SETTINGS = {
    "default": "",
    "high": 'torch.set_float32_matmul_precision("high")',
    "medium": 'torch.set_float32_matmul_precision("medium")',
    "older": "B.cuda.matmul.allow_tf32 = True; B.cudnn.allow_tf32 = False",
    "newer": 'B.cuda.matmul.fp32_precision = "tf32"',
    "all": 'B.fp32_precision = "tf32"',
    "split": "B.cuda.matmul.allow_bf16_reduced_precision_reduction = (False, False)",
}
SCRIPT = """
import torch
from pytest_retrieval_robust.core.float32 import ieee_float32
from pytest_retrieval_robust.retrieval.ranking._exact import plain_sums
B = torch.backends
MKLDNN = (B.mkldnn.matmul, B.mkldnn.conv, B.mkldnn.rnn)
NEWER = (B.cuda.matmul, B.cudnn.conv, B.cudnn.rnn, *MKLDNN, B.cudnn, B)
OLDER = (
    lambda: B.cuda.matmul.allow_tf32,
    lambda: B.cudnn.allow_tf32,
    torch.get_float32_matmul_precision,
)

def state():
    cuda = B.cuda.matmul
    found = [one.fp32_precision for one in NEWER]
    found += [cuda.allow_bf16_reduced_precision_reduction]
    found += [getattr(cuda, "allow_bf16_reduced_precision_reduction_split_k", None)]
    for read in OLDER:
        try:
            found.append(read())
        except RuntimeError:
            found.append("refused")
    return found

{setting}
before = state()
with ieee_float32():
    with plain_sums(torch.device("cpu")):
        inside = state()
    within = state()
assert state() == before, (state(), before)
for found in (inside, within):
    assert found[:6] == ["ieee"] * 6, found
    assert found[-3:] == [False, False, "highest"], found  # nor does torch refuse to be asked
"""


@pytest.mark.parametrize("setting", SETTINGS)
def test_whatever_was_set_comes_back(setting: str) -> None:
    subprocess.run(
        [sys.executable, "-c", SCRIPT.format(setting=SETTINGS[setting])], check=True
    )


def _settings() -> tuple[str, str]:
    backends: Any = torch.backends
    return backends.cuda.matmul.fp32_precision, backends.cudnn.conv.fp32_precision


def test_encoders_and_scorers_run_in_true_float32() -> None:
    seen = set()

    class Watching(Pixels):
        def encode_images(self, pixels: Tensor) -> Tensor:
            seen.add(_settings())
            return super().encode_images(pixels)

        def encode_reports(self, texts: Any) -> Tensor:
            seen.add(_settings())
            return super().encode_reports(texts)

        def similarity(self, queries: Tensor, gallery: Tensor) -> Tensor:
            seen.add(_settings())
            return queries @ gallery.T

    before = _settings()
    cells = [
        (Cell(name, 0.3, 0), load_occluder(name))
        for name in ("patches", "salient(grid=4)")
    ]
    run_sweep(encoder_of(Watching), pairs_of(RECORDS), cells, (1,))
    find_breaking(encoder_of(Watching), RECORDS, k=3, grid=4, images=3)
    assert seen == {("ieee", "ieee")}
    assert _settings() == before


def test_threads_that_overlap_leave_the_settings_as_they_were() -> None:
    before = _settings()

    def enter_often() -> None:
        for _ in range(300):
            with ieee_float32():
                assert _settings() == ("ieee", "ieee")

    threads = [Thread(target=enter_often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _settings() == before


def test_a_search_multiplies_as_ranks_are_computed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In shorter numbers `broken` would not be certain: the exact rank afterwards would
    contradict it.
    """
    seen = []
    real = Tensor.__matmul__

    def multiplied(left: Tensor, right: Tensor) -> Tensor:
        seen.append(_settings())
        return real(left, right)

    monkeypatch.setattr(Tensor, "__matmul__", multiplied)
    find_breaking(encoder_of(Pixels), RECORDS, k=3, grid=4, images=3)
    assert set(seen) == {("ieee", "ieee")}


def test_deterministic_algorithms_are_asked_for_again() -> None:
    torch.use_deterministic_algorithms(True)
    try:
        with plain_sums(torch.device("cpu")):
            assert not torch.are_deterministic_algorithms_enabled()
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.is_deterministic_algorithms_warn_only_enabled()
    finally:
        torch.use_deterministic_algorithms(False)


def test_an_environment_that_forces_tf32_ends_with_a_sentence_where_cuda_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "1")
    before = _settings()
    with ieee_float32():
        assert _settings() == ("ieee", "ieee")
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    with pytest.raises(ConfigError, match="NVIDIA_TF32_OVERRIDE to be 0 or unset"):
        run_sweep(encoder_of(Pixels), pairs_of(RECORDS), [], (1,))
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE")
    with ieee_float32():
        assert _settings() == ("ieee", "ieee")
    assert _settings() == before
