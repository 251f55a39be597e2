"""Kernels for GPUs that no test machine has: Triton interprets them on the processor."""

from __future__ import annotations

from inspect import signature
from pathlib import Path
from types import ModuleType

import pytest
import torch

from pytest_retrieval_robust.retrieval.ranking._kernels import fused_on
from pytest_retrieval_robust.retrieval.ranking._thresholds import Counted

from .. import interpreted_kernels

TYPES = {
    "_collect": (
        "scores:*fp32 q_low:*fp32 q_high:*fp32 q_above:*i32 q_pairs:*i32 q_filled:*i64"
        " g_low:*fp32 g_high:*fp32 g_above:*i32 g_pairs:*i32 g_filled:*i64 rows:i32"
        " columns:i32 stride:i32 first_query:i32 first_item:i32 q_room:i32 g_room:i32"
    ),
    "_pair_scores": (
        "queries:*fp32 gallery:*fp32 q_index:*i64 g_index:*i64 scores:*fp64 count:i32"
        " width:i32"
    ),
}


def require_triton() -> ModuleType:
    """The module; a test is skipped without it, and with one that cannot interpret these kernels.

    An older one on a GPU is tried before it is used, like any other.
    """
    triton: ModuleType = pytest.importorskip("triton")
    from triton.compiler import ASTSource

    if "constexprs" not in signature(ASTSource).parameters:
        pytest.skip(f"triton {triton.__version__} takes constants in another way")
    return triton


def test_fused_kernels_count_what_the_plain_ones_count(tmp_path: Path) -> None:
    require_triton()
    ended = interpreted_kernels.run("tests.retrieval.fused_kernels", tmp_path)
    assert ended.status == 0, ended.printed
    assert ended.printed.splitlines()[-1] == "alike"


@pytest.mark.parametrize("capability", [75, 80, 90])
@pytest.mark.parametrize("both", [False, True])
def test_fused_kernels_compile_for_cards_that_are_not_here(
    capability: int, both: bool
) -> None:
    triton = require_triton()
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from pytest_retrieval_robust.retrieval.ranking import _triton

    target = GPUTarget("cuda", capability, 32)
    constants = {
        "_collect": {
            "BOTH": both,
            "BLOCK_ROWS": _triton._BLOCK_ROWS,
            "BLOCK_COLUMNS": _triton._BLOCK_COLUMNS,
        },
        "_pair_scores": {
            "BLOCK_PAIRS": _triton._BLOCK_PAIRS,
            "BLOCK_WIDTH": _triton._BLOCK_WIDTH,
        },
    }
    for name, types in TYPES.items():
        kernel = getattr(_triton, name)
        types_of = dict(pair.split(":") for pair in types.split())
        types_of.update(dict.fromkeys(constants[name], "constexpr"))
        source = ASTSource(
            fn=kernel,
            signature=types_of,
            constexprs={
                (kernel.arg_names.index(constant),): value
                for constant, value in constants[name].items()
            },
        )
        compiled = triton.compile(
            source, target=target, options={"enable_fp_fusion": True}
        )
        assert compiled.asm["cubin"]


def test_where_they_do_not_run_the_plain_ones_are_used() -> None:
    assert fused_on(torch.device("cpu")) is None
    if not torch.cuda.is_available():
        # Triton finds no driver, and nobody hears of it.
        assert fused_on(torch.device("cuda:0")) is None


@pytest.mark.parametrize("is_wrong", [False, True])
def test_a_kernel_that_counts_otherwise_on_a_device_is_refused(
    monkeypatch: pytest.MonkeyPatch, is_wrong: bool
) -> None:
    """A compiler may be wrong on a card that nobody tried."""
    pytest.importorskip("triton")
    from pytest_retrieval_robust.retrieval.ranking import _triton, _unfused

    def collect(
        scores: torch.Tensor, of_rows: Counted, of_columns: Counted, *first: int
    ) -> None:
        _unfused.collect(scores, of_rows, of_columns, *first)
        if is_wrong:
            of_columns.above[-1] += 1

    monkeypatch.setattr(_triton, "collect", collect)
    if not is_wrong:
        _triton._try_beside_torch(150, 300, torch.device("cpu"))
        return
    with pytest.raises(ValueError, match="Expected what torch counts"):
        _triton._try_beside_torch(150, 300, torch.device("cpu"))
