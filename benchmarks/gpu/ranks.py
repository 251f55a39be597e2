"""Ranks on the device are those of float64, for every filter and any setting of torch."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pytest_retrieval_robust.retrieval.ranking import positive_ranks_both, top_k

from ..ranks import unit_rows
from .steps import Deadline, Notebook, Setting

Floats = NDArray[np.float32]
Whole = NDArray[np.int64]
_COSINES = (0.0, 0.5, 0.86, 0.95)
_NEAR = 1e-13
"""Float64 scores that are nearer than this, in units of the rows' norms, may be a tie."""


@dataclass(frozen=True)
class _Problem:
    """Queries and a gallery with their groups."""

    queries: Floats
    gallery: Floats
    q_groups: Whole
    g_groups: Whole

    def ranks(self, device: str) -> tuple[Whole, Whole]:
        return positive_ranks_both(
            torch.from_numpy(self.queries).to(device),
            torch.from_numpy(self.gallery).to(device),
            self.q_groups,
            self.g_groups,
            tile=64,
        )

    def holds(self, ranks: tuple[Whole, Whole]) -> bool:
        """Whether ranks are those of float64, near ties either way."""
        scores = self.queries.astype(np.float64) @ self.gallery.astype(np.float64).T
        q_norms = np.linalg.norm(self.queries.astype(np.float64), axis=1)
        g_norms = np.linalg.norm(self.gallery.astype(np.float64), axis=1)
        near = _NEAR * np.outer(q_norms, g_norms)
        is_right = self.q_groups[:, None] == self.g_groups
        forth = _lies_between(scores, near, is_right, ranks[0])
        back = _lies_between(scores.T, near.T, is_right.T, ranks[1])
        return forth and back


def run(setting: Setting, notebook: Notebook) -> None:
    _small(setting, notebook)
    _large(setting, notebook)
    _best(setting, notebook)


def _small(setting: Setting, notebook: Notebook) -> None:
    """Ties, duplicates, collapsed encoders, groups: under each setting of torch."""
    source = random.Random(0)
    deadline = Deadline(15)
    settings = _settings(setting)
    wrong = []
    tried = 0
    for number in range(setting.size(200, 15)):
        if deadline.is_over:
            break
        name = list(settings)[number % len(settings)]
        problem = _random_problem(source)
        with settings[name]():
            before = _state()
            ranks = problem.ranks(setting.device)
            is_restored = _state() == before
        if not problem.holds(ranks) or not is_restored:
            wrong.append(f"{number} under {name}")
        tried += 1
    notebook.check(
        "small problems are float64's", not wrong, f"{tried} tried {wrong[:4]}"
    )


def _large(setting: Setting, notebook: Notebook) -> None:
    size = setting.size(20_000, 600)
    own = np.arange(size)
    for cosine in _COSINES:
        queries, gallery = unit_rows(size, cosine)
        left = torch.from_numpy(queries).to(setting.device)
        right = torch.from_numpy(gallery).to(setting.device)
        ranks = positive_ranks_both(left, right, own, own)
        differing = 0
        for got, lowest, highest in zip(ranks, *_by_tiles(left, right), strict=True):
            differing += int(((got < lowest) | (got > highest)).sum())
        notebook.check(
            f"{size:,} x {size:,}, mean cosine {cosine}",
            differing == 0,
            f"{differing} ranks differ from float64's",
        )


def _by_tiles(left: Tensor, right: Tensor) -> tuple[list[Whole], list[Whole]]:
    """The least and the largest rank that float64 scores allow, in both directions.

    Row i of one side is right for row i of the other.
    """
    wide = right.double()
    own = (left.double() * wide).sum(1)
    bounds: tuple[list[Whole], list[Whole]] = ([], [])
    for bound, floors in zip(bounds, (own + _NEAR, own - _NEAR), strict=True):
        forth = []
        back = torch.zeros(len(right), dtype=torch.int64, device=right.device)
        for start in range(0, len(left), 2048):
            part = slice(start, start + 2048)
            scores = left[part].double() @ wide.T
            numbers = torch.arange(len(scores), device=scores.device)
            scores[numbers, numbers + start] = -torch.inf
            forth.append((scores >= floors[part, None]).sum(1) + 1)
            back += (scores >= floors).sum(0)
        bound.append(torch.cat(forth).cpu().numpy())
        bound.append((back + 1).cpu().numpy())
    return bounds


def _best(setting: Setting, notebook: Notebook) -> None:
    """`top_k` gives the processor's bits."""
    queries, gallery = unit_rows(setting.size(2000, 100), 0.5)
    expected = top_k(queries, gallery, 10)
    got = top_k(
        torch.from_numpy(queries).to(setting.device),
        torch.from_numpy(gallery).to(setting.device),
        10,
    )
    same = all(
        np.array_equal(np.asarray(mine), np.asarray(other))
        for mine, other in zip(got, expected, strict=True)
    )
    notebook.check("the best answers are the processor's", same)


def _random_problem(source: random.Random) -> _Problem:
    rng = np.random.default_rng(source.getrandbits(64))
    queries = source.randint(1, 150)
    items = source.randint(1, 150)
    width = source.choice((1, 3, 8, 64, 200))
    groups = source.choice((1, 3, 40, 150))
    left = rng.standard_normal((queries, width)).astype(np.float32)
    right = rng.standard_normal((items, width)).astype(np.float32)
    kind = source.choice(("plain", "whole", "duplicates", "collapsed", "scales"))
    if kind == "whole":
        left = rng.integers(-2, 3, left.shape).astype(np.float32)
        right = rng.integers(-2, 3, right.shape).astype(np.float32)
    elif kind == "duplicates":
        right = right[rng.integers(0, max(1, items // 4), items)]
    elif kind == "collapsed":
        left[:] = left[0]
        right[:] = right[0]
    elif kind == "scales":
        left *= 2.0 ** rng.integers(-20, 21, (queries, 1)).astype(np.float32)
        right *= 2.0 ** rng.integers(-20, 21, (items, 1)).astype(np.float32)
    # A row of zeros has no direction.
    left[~left.any(1), 0] = 1
    right[~right.any(1), 0] = 1
    return _answerable(left, right, rng, groups)


def _answerable(
    left: Floats, right: Floats, rng: np.random.Generator, groups: int
) -> _Problem:
    """Groups such that every row has a right partner."""
    groups = min(groups, len(left), len(right))
    q_groups = rng.permutation(np.arange(len(left)) % groups)
    g_groups = rng.permutation(np.arange(len(right)) % groups)
    return _Problem(left, right, q_groups, g_groups)


def _lies_between(
    scores: NDArray[np.float64],
    near: NDArray[np.float64],
    is_right: NDArray[np.bool_],
    ranks: Whole,
) -> bool:
    rising = np.where(is_right, scores + near, -np.inf).max(1, keepdims=True)
    falling = np.where(is_right, scores - near, -np.inf).max(1, keepdims=True)
    surely = (~is_right & (scores - near > rising)).sum(1) + 1
    perhaps = (~is_right & (scores + near >= falling)).sum(1) + 1
    return bool(((surely <= ranks) & (ranks <= perhaps)).all())


Context = Callable[[], AbstractContextManager[None]]


def _settings(setting: Setting) -> dict[str, Context]:
    """Settings of torch that a conftest may have made."""

    @contextmanager
    def autocast() -> Iterator[None]:
        kind = "cuda" if setting.on_real_gpu else "cpu"
        with torch.autocast(kind, dtype=torch.bfloat16):
            yield

    return {
        "torch's defaults": nullcontext,
        "float32 products of high precision": high_products,
        "TF32 by the newer settings": _tf32,
        "autocast": autocast,
        "sums in bfloat16": _reduced,
        "deterministic algorithms": _deterministic,
    }


def _state() -> tuple[Any, ...]:
    """The settings that ranking changes, and has to give back."""
    backends: Any = torch.backends
    return (
        backends.cuda.matmul.fp32_precision,
        backends.cudnn.conv.fp32_precision,
        backends.cuda.matmul.allow_bf16_reduced_precision_reduction,
        torch.are_deterministic_algorithms_enabled(),
    )


@contextmanager
def high_products() -> Iterator[None]:
    """As a conftest may allow TF32, or bfloat16, in products of float32."""
    before = torch.get_float32_matmul_precision()
    matmul: Any = torch.backends.cuda.matmul
    newer = matmul.fp32_precision
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
        matmul.fp32_precision = newer


@contextmanager
def _tf32() -> Iterator[None]:
    matmul: Any = torch.backends.cuda.matmul
    before = matmul.fp32_precision
    matmul.fp32_precision = "tf32"
    try:
        yield
    finally:
        matmul.fp32_precision = before


@contextmanager
def _reduced() -> Iterator[None]:
    matmul: Any = torch.backends.cuda.matmul
    before = matmul.allow_bf16_reduced_precision_reduction
    matmul.allow_bf16_reduced_precision_reduction = True
    try:
        yield
    finally:
        matmul.allow_bf16_reduced_precision_reduction = before


@contextmanager
def _deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)
