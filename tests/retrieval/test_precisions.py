"""What is filtered in, by what a device can do and by the norms of the rows."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pytest_retrieval_robust.retrieval.ranking import _precisions
from pytest_retrieval_robust.retrieval.ranking._exact import Side
from pytest_retrieval_robust.retrieval.ranking._precisions import (
    IN_BFLOAT16,
    IN_FLOAT16,
    IN_FLOAT32,
    has_bfloat16,
    has_float16,
    precisions,
    product_in_float32,
    widens,
)

HOST = torch.device("cpu")
CUDA = torch.device("cuda:0")


def side_of(*norms: float) -> Side:
    rows = torch.zeros(len(norms), 1)
    return Side(rows, torch.tensor(norms, dtype=torch.float64), torch.zeros(len(norms)))


@pytest.mark.parametrize(
    ("ability", "chosen"), [("has_float16", IN_FLOAT16), ("has_bfloat16", IN_BFLOAT16)]
)
def test_16_bits_come_first_where_norms_are_modest(
    monkeypatch: pytest.MonkeyPatch, ability: str, chosen: _precisions.Precision
) -> None:
    for name in ("has_float16", "has_bfloat16"):
        monkeypatch.setattr(_precisions, name, lambda _, able=name == ability: able)
    usual = side_of(2.0**-20, 1.0, 2.0**20)
    assert precisions(usual, usual) == (chosen, IN_FLOAT32)
    for norm in (2.0**-20.01, 2.0**20.01):
        odd = side_of(1.0, norm)
        assert precisions(odd, usual) == (IN_FLOAT32,)
        assert precisions(usual, odd) == (IN_FLOAT32,)


def test_without_16_bits_the_filter_is_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("has_float16", "has_bfloat16"):
        monkeypatch.setattr(_precisions, name, lambda _: False)
    assert precisions(side_of(1.0), side_of(1.0)) == (IN_FLOAT32,)


@pytest.mark.parametrize(
    ("capability", "can_widen", "has"),
    [((7, 0), True, True), ((6, 2), True, False), ((9, 0), False, False)],
)
def test_a_card_with_tensor_cores_has_float16(
    monkeypatch: pytest.MonkeyPatch,
    capability: tuple[int, int],
    can_widen: bool,
    has: bool,
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    monkeypatch.setattr(_precisions, "widens", lambda _: can_widen)
    assert has_float16(CUDA) is has
    assert not has_float16(HOST)


@pytest.mark.parametrize(
    "name", ["_is_avx512_bf16_supported", "_is_amx_tile_supported"]
)
def test_a_processor_with_either_instruction_has_bfloat16(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for each in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, each, lambda able=each == name: able, False)
    assert has_bfloat16(HOST)
    assert not has_bfloat16(CUDA)
    # Another version of torch may have neither.
    for each in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.delattr(torch.cpu, each)
    assert not has_bfloat16(HOST)


@pytest.mark.parametrize("error", [RuntimeError("no kernel"), TypeError("out_dtype")])
def test_a_device_that_refuses_the_product_does_not_widen(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refused(*_: torch.Tensor) -> torch.Tensor:
        raise error

    monkeypatch.setattr(_precisions, "product_in_float32", refused)
    widens.cache_clear()
    try:
        assert not widens(HOST)
    finally:
        widens.cache_clear()


def test_memory_that_ran_out_says_nothing_of_the_product(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: torch.Tensor) -> torch.Tensor:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(_precisions, "product_in_float32", full)
    widens.cache_clear()
    with pytest.raises(torch.cuda.OutOfMemoryError):
        widens(HOST)


def test_a_device_that_gives_the_product_widens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []

    def given(*arrays: torch.Tensor) -> torch.Tensor:
        seen.append([(array.dtype, tuple(array.shape)) for array in arrays])
        return arrays[2]

    monkeypatch.setattr(_precisions, "product_in_float32", given)
    widens.cache_clear()
    assert widens(HOST)
    widens.cache_clear()
    shape = (8, 8)
    half = (torch.float16, shape)
    assert seen == [[half, half, (torch.float32, shape)]]


def test_the_product_of_float16_is_asked_for_in_float32(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A processor has no such product: what is asked of a device is looked at."""
    asked: dict[str, Any] = {}

    def noted(*matrices: torch.Tensor, **options: object) -> torch.Tensor:
        asked.update(matrices=matrices, **options)
        return matrices[0]

    left, right, out = (torch.ones(2, 2) for _ in range(3))
    monkeypatch.setattr(torch, "mm", noted)
    product_in_float32(left, right, out)
    assert asked["matrices"][0] is left
    assert asked["matrices"][1] is right
    assert asked["out_dtype"] is torch.float32
    assert asked["out"] is out
