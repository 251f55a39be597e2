"""Encoders run in true float32, and a user's settings are as they were afterwards."""

from __future__ import annotations

from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from pytest_retrieval_robust import load_dataset, load_model, load_occluder
from pytest_retrieval_robust.core.cases import Cell
from pytest_retrieval_robust.core.errors import ConfigError
from pytest_retrieval_robust.core.float32 import ieee_float32
from pytest_retrieval_robust.measure.breaking import BreakingResult, find_breaking
from pytest_retrieval_robust.measure.pairs import pairs_of
from pytest_retrieval_robust.measure.sweep.run import run_sweep
from pytest_retrieval_robust.occluders.guided._greedy import CERTAIN
from pytest_retrieval_robust.retrieval.ranking._exact import plain_sums

from .. import forked_commands
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
import os, sys, torch
from pytest_retrieval_robust.core.float32 import ieee_float32
from pytest_retrieval_robust.retrieval.ranking._exact import plain_sums
B = torch.backends
NEWER = ()
if hasattr(B.cuda.matmul, "fp32_precision"):
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

def check():
    before = state()
    with ieee_float32():
        with plain_sums(torch.device("cpu")):
            inside = state()
        within = state()
    assert state() == before, (state(), before)
    for found in (inside, within):
        assert found[:len(NEWER)][:6] == ["ieee"] * len(NEWER[:6]), found
        assert found[-3:] == [False, False, "highest"], found  # nor does torch refuse to be asked

for setting in sys.argv[1:]:
    process = os.fork()
    if process == 0:
        exec(setting)
        check()
        print("comes back:", setting, flush=True)
        os._exit(0)
    os.waitpid(process, 0)
"""
"""Each setting has a process of its own, in which torch is imported already."""


HAS_NEWER = hasattr(torch.backends.cuda.matmul, "fp32_precision")
"""Whether torch can be told of each kind of operation: since 2.9."""
OLDER = ("default", "high", "medium", "older")


@pytest.fixture(scope="module")
def come_back() -> str:
    """What the processes of all settings print."""
    command = ["python", "-c", SCRIPT, *SETTINGS.values()]
    return forked_commands.run(command, Path.cwd()).printed


@pytest.mark.parametrize("setting", SETTINGS if HAS_NEWER else OLDER)
def test_whatever_was_set_comes_back(setting: str, come_back: str) -> None:
    assert f"comes back: {SETTINGS[setting]}" in come_back.splitlines(), come_back


def _settings() -> tuple[str, str]:
    """The precision of products and of convolutions."""
    backends: Any = torch.backends
    if HAS_NEWER:
        return backends.cuda.matmul.fp32_precision, backends.cudnn.conv.fp32_precision
    products = "tf32" if backends.cuda.matmul.allow_tf32 else "ieee"
    convolutions = "tf32" if backends.cudnn.allow_tf32 else "ieee"
    return products, convolutions


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


class _ShortenedProducts(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Rounds what is multiplied to TF32's ten bits wherever torch's settings allow it, as
    a GPU does.
    """

    shortened = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        is_product = func.overloadpacket.__name__ in ("mm", "addmm", "bmm")
        if is_product and _settings()[0] != "ieee":
            self.shortened += 1
            args = [_ten_bits(one) if isinstance(one, Tensor) else one for one in args]
        return func(*args, **(kwargs or {}))


def _ten_bits(values: Tensor) -> Tensor:
    bits = values.contiguous().view(torch.int32)
    return ((bits + 0x1000) & ~0x1FFF).view(torch.float32)


class Projecting(Pixels):
    """An encoder with a product of its own."""

    def encode_images(self, pixels: Tensor) -> Tensor:
        rows = super().encode_images(pixels)
        return torch.nn.functional.normalize(rows @ torch.eye(257) * 1.5, dim=1)


@pytest.mark.parametrize("setting", ["high", "medium"])
def test_a_search_finds_the_same_where_products_may_be_shortened(setting: str) -> None:
    def searched() -> BreakingResult:
        return find_breaking(encoder_of(Projecting), RECORDS, k=3, grid=4, images=9)

    expected = searched()
    torch.set_float32_matmul_precision(setting)
    try:
        with _ShortenedProducts() as device:  # type: ignore[no-untyped-call]
            # The mode shortens what nothing protects.
            unprotected = torch.full((1, 1), 1 + 2**-12) @ torch.ones(1, 1)
            shortened = device.shortened
            result = searched()
    finally:
        torch.set_float32_matmul_precision("highest")
    assert (float(unprotected), shortened) == (1.0, 1)
    assert device.shortened == shortened
    assert result.falls.tobytes() == expected.falls.tobytes()
    assert result.masks.tobytes() == expected.masks.tobytes()
    is_broken = (result.shares < 1) & ~np.isnan(result.shares)
    assert is_broken.any()
    assert (result.ranks_after[is_broken] > 3).all()


@pytest.mark.skipif(not HAS_NEWER, reason="torch could not be told so before 2.9")
def test_a_search_takes_no_other_kernel_where_a_processor_may_use_bfloat16() -> None:
    """On a processor with units for it, or only with another kernel for float32, the
    bits would differ.
    """
    model = load_model("tiny-cxr-clip", device="cpu")
    data = load_dataset("synthetic-cxr", pairs=24)

    def searched() -> list[bytes]:
        result = find_breaking(model, data, k=3, grid=2, images=3)
        return [result.falls.tobytes(), result.masks.tobytes()]

    expected = searched()
    matmul: Any = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    before = matmul.fp32_precision
    matmul.fp32_precision = "bf16"
    try:
        assert searched() == expected
        assert matmul.fp32_precision == "bf16"
    finally:
        matmul.fp32_precision = before


@pytest.mark.parametrize("dimension", [64, 512, 1024])
def test_float32_scores_err_by_less_than_what_a_search_takes_for_certain(
    dimension: int,
) -> None:
    """Added up one after another, which errs the most of all orders."""
    rng = np.random.default_rng(dimension)
    likenesses = (0.0, 0.9, 1.0)
    for likeness in likenesses:
        rows = np.abs(rng.normal(size=(200, dimension)) * (1 - likeness) + likeness)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        rows = rows.astype(np.float32)
        others = rows[::-1]
        summed = np.zeros(len(rows), np.float32)
        for column in range(dimension):
            summed += rows[:, column] * others[:, column]
        exact = (rows.astype(np.float64) * others).sum(axis=1)
        # A margin is the difference of two scores.
        assert 2 * np.abs(summed - exact).max() < CERTAIN
