"""Deterministic algorithms that a user asked for: what torch then refuses on a GPU is not
done, or is allowed for as long as it lasts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Barrier, Thread
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from pytest_retrieval_robust import load_occluder
from pytest_retrieval_robust.core.cases import Case
from pytest_retrieval_robust.core.float32 import plain_algorithms
from pytest_retrieval_robust.measure.breaking import find_breaking
from pytest_retrieval_robust.measure.first_ranks import FirstRanks
from pytest_retrieval_robust.measure.half_precision import precision_effect
from pytest_retrieval_robust.measure.pairs import pairs_of
from pytest_retrieval_robust.measure.sensitivity import sensitivity_map
from pytest_retrieval_robust.measure.sweep.run import run_sweep
from pytest_retrieval_robust.measure.timing.rounds import (
    prepare_batch,
    timed_rounds,
)

from ..emulated_device import OnDevice, emulated
from ..measure.sweep.test_devices import (
    BATCHES_OF_8,
    CELLS,
    OnDeviceEncoder,
    Scoring,
    encoder_on,
    ranks,
)
from ..measure.sweep.test_sweep import RECORDS

pytestmark = pytest.mark.usefixtures("one_thread")

# By the documentation of `torch.use_deterministic_algorithms`, of what needs no gradient.
REFUSED = (
    "bincount",
    "histc",
    "kthvalue",
    "max_unpool2d",
    "max_unpool3d",
    "median.dim",
    "nll_loss_forward",
    "nll_loss2d_forward",
    "put",
    "put_",
    "scatter_reduce",
    "scatter_reduce_",
    # Older versions refuse these too, for fractions.
    "cumsum",
)
PRODUCTS = ("mm", "addmm", "bmm", "baddbmm", "mv", "addmv", "dot", "vdot")
"""Refused while cuBLAS has no workspace for them."""


class Alerts(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Refuses what a GPU does in deterministic mode, on the emulated one."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        leaves = tree_leaves((args, kwargs))
        is_on_device = any(isinstance(leaf, OnDevice) for leaf in leaves)
        packet = func.overloadpacket.__name__
        name = str(func).removeprefix("aten.")
        is_refused = packet in REFUSED or name in REFUSED or packet in PRODUCTS
        asked = torch.are_deterministic_algorithms_enabled()
        if asked and is_refused and is_on_device:
            raise RuntimeError(f"{name} does not have a deterministic implementation")
        return func(*args, **(kwargs or {}))


@contextmanager
def deterministic_gpu() -> Iterator[None]:
    with emulated("cuda:0"), Alerts():  # type: ignore[no-untyped-call]
        torch.use_deterministic_algorithms(True)
        try:
            yield
            assert torch.are_deterministic_algorithms_enabled()
            assert not torch.is_deterministic_algorithms_warn_only_enabled()
        finally:
            torch.use_deterministic_algorithms(False)


@pytest.fixture(autouse=True)
def _no_workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)


def swept(model: Any) -> Any:
    return ranks(run_sweep(model, pairs_of(RECORDS), CELLS, (1,), BATCHES_OF_8))


def searched(model: Any) -> Any:
    result = find_breaking(model, RECORDS, k=3, grid=4, images=6)
    return result.masks.tolist(), result.ranks_after.tolist()


def mapped(model: Any) -> Any:
    return sensitivity_map(model, RECORDS, grid=4, images=6).images


def first_ranked(model: Any) -> Any:
    first = FirstRanks(model, RECORDS, 6)
    return first.hidden(load_occluder("lines"), 0.4, 1).changes


def halved(model: Any) -> Any:
    other = encoder_on(device=model.device)
    return precision_effect(model, other, RECORDS)["images"]["count"]


def timed(model: Any) -> Any:
    batch = prepare_batch(model, RECORDS, 4)
    case = Case("timed", RECORDS.name, "patches(fill=mean)", 0.4, 1)
    rounds = timed_rounds(model, batch, load_occluder(case.occluder), case)
    rounds.warm_up()
    rounds.measure(1)
    return rounds.rounds


@pytest.mark.parametrize("kind", [OnDeviceEncoder, Scoring])
@pytest.mark.parametrize(
    "measure", [swept, searched, mapped, first_ranked, halved, timed]
)
def test_whatever_a_gpu_refuses_in_deterministic_mode_is_not_asked_of_it(
    measure: Callable[[Any], Any],
    kind: type[OnDeviceEncoder],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = measure(encoder_on(kind))
    # Scorers of the user's own multiply for themselves.
    if kind is Scoring:
        monkeypatch.setattr(f"{__name__}.PRODUCTS", ())
    with deterministic_gpu():
        assert measure(encoder_on(kind, device="cuda:0")) == expected


def test_the_emulated_gpu_refuses_what_a_gpu_does() -> None:
    with deterministic_gpu():
        values = torch.ones(3).to("cuda:0")
        places = torch.zeros(3, dtype=torch.long).to("cuda:0")
        with pytest.raises(RuntimeError, match="scatter_reduce_.two does not have"):
            values.scatter_reduce_(0, places, values, "amax")
        with pytest.raises(RuntimeError, match=r"mm\.default|mm does not have"):
            values[None] @ values[:, None]
        with plain_algorithms():
            assert float(values[None] @ values[:, None]) == 3.0


def test_threads_that_overlap_leave_deterministic_mode_as_it_was() -> None:
    torch.use_deterministic_algorithms(True, warn_only=True)
    barrier = Barrier(4)
    seen = set()

    def enter_often() -> None:
        barrier.wait()
        for _ in range(300):
            with plain_algorithms():
                seen.add(torch.are_deterministic_algorithms_enabled())

    threads = [Thread(target=enter_often) for _ in range(4)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert seen == {False}
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("workspace", [":4096:8", ":16:8"])
def test_with_a_workspace_encoders_of_other_threads_stay_deterministic(
    workspace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search allows nothing then, because the mode is the whole process's."""
    asked = []
    real = Tensor.__matmul__

    def multiplied(left: Tensor, right: Tensor) -> Tensor:
        asked.append(torch.are_deterministic_algorithms_enabled())
        return real(left, right)

    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", workspace)
    monkeypatch.setattr(Tensor, "__matmul__", multiplied)
    torch.use_deterministic_algorithms(True)
    try:
        sensitivity_map(encoder_on(), RECORDS, grid=2, images=2)
    finally:
        torch.use_deterministic_algorithms(False)
    assert set(asked) == {True}
