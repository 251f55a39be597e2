"""The training loop: two losses, averaged weights, and a state on disk.

The losses are the contrastive one and that of a throw-away head which names the findings.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from training.batches import Batch, Batches
from training.network import PROJECTION, Towers
from training.recipes import Recipe

_SAVE_EVERY_S = 60.0
_REPORT_EVERY = 50
_STATISTICS_BATCHES = 60


class OtherRunError(RuntimeError):
    """The folder holds the state of a run with another recipe or data."""


class FindingsHead(nn.Module):
    """One linear layer for both towers that names the state of every slot.

    `sizes` are the numbers of states.
    """

    def __init__(self, width: int, sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.sizes = list(sizes)
        self.linear = nn.Linear(width, sum(sizes))

    def losses(self, rows: Tensor, labels: Tensor) -> Tensor:
        """(slots,) cross-entropies of (batch, width) unit rows against (batch, slots) states."""
        parts = self.linear(rows * self.linear.in_features**0.5).split(
            self.sizes, dim=1
        )
        losses = [
            nn.functional.cross_entropy(part, labels[:, slot])
            for slot, part in enumerate(parts)
        ]
        return torch.stack(losses)


@dataclass
class _Run:
    """Everything that changes while a run lasts."""

    towers: Towers
    averaged: AveragedModel
    head: FindingsHead
    optimiser: torch.optim.Optimizer
    step: int = 0
    cpu_seconds: float = 0.0

    def state(self) -> dict[str, Any]:
        parts = (self.towers, self.averaged, self.head, self.optimiser)
        return {
            "parts": [part.state_dict() for part in parts],
            "step": self.step,
            "cpu_seconds": self.cpu_seconds,
        }

    def restore(self, state: dict[str, Any]) -> None:
        towers, averaged, head, optimiser = state["parts"]
        self.towers.load_state_dict(towers)
        self.averaged.load_state_dict(averaged)
        self.head.load_state_dict(head)
        self.optimiser.load_state_dict(optimiser)
        self.step = state["step"]
        self.cpu_seconds = state["cpu_seconds"]


def fit(
    towers: Towers,
    batches: Batches,
    sizes: tuple[int, ...],
    recipe: Recipe,
    identity: dict[str, str | int | float],
    state: Path,
    say: Callable[[str], None],
    stop_after: int | None = None,
    precision: torch.dtype = torch.bfloat16,
) -> tuple[Towers, float]:
    """Train `towers`; give back the averaged towers and the CPU seconds that the training took.

    The file `state` is written about once a minute, and read where it exists: a run
    that was killed at any moment ends with the same weights, bit for bit on the same
    number of threads. Raises `OtherRunError` where the file belongs to a run with
    another `identity`. `stop_after` ends the run early, as a kill would. Towers work in
    `precision`: bfloat16 is the fastest only on processors that have it.
    """
    head = FindingsHead(PROJECTION, sizes)
    averaged = AveragedModel(
        towers, avg_fn=lambda old, new, _: old.lerp(new, 1 - recipe.average)
    )
    run = _Run(towers.train(), averaged, head, _optimiser(towers, head, recipe))
    _resume(run, identity, state, say)
    # The processor time of earlier parts of the run counts, too.
    cpu_start = time.process_time() - run.cpu_seconds
    began = time.monotonic()
    saved = began
    first = run.step
    while run.step < recipe.steps and run.step != stop_after:
        paired, named = _train_on(batches[run.step], run, recipe, precision)
        run.step += 1
        if run.step % _REPORT_EVERY == 0 or run.step == recipe.steps:
            rate = (run.step - first) * recipe.batch / (time.monotonic() - began)
            left = (recipe.steps - run.step) * recipe.batch / rate / 60
            losses = (
                f"contrastive {paired.item():.3f} findings {named.mean().item():.3f}"
            )
            say(
                f"step {run.step}/{recipe.steps}: {losses} | {rate:.0f} pairs/s,"
                f" {left:.1f} min left"
            )
        if time.monotonic() - saved > _SAVE_EVERY_S:
            run.cpu_seconds = time.process_time() - cpu_start
            saved = time.monotonic()
            _save(run, identity, state)
    run.cpu_seconds = time.process_time() - cpu_start
    _save(run, identity, state)
    trained = run.averaged.module
    assert isinstance(trained, Towers)
    _measure_statistics(trained, batches)
    return trained.eval(), run.cpu_seconds


def _train_on(
    batch: Batch, run: _Run, recipe: Recipe, precision: torch.dtype
) -> tuple[Tensor, Tensor]:
    """One step. Returns the contrastive loss, and the (slots,) losses of naming the
    findings from the pictures.
    """
    for group in run.optimiser.param_groups:
        group["lr"] = recipe.rate * recipe.factor(run.step)
    lower = precision != torch.float32
    with torch.autocast("cpu", dtype=precision, enabled=lower):
        images = run.towers.images(batch.pixels)
        texts = run.towers.texts(batch.tokens)
    named = run.head.losses(images, batch.labels)
    paired = _contrastive(images, texts, run.towers.logit_scale)
    findings = (named + run.head.losses(texts, batch.labels)).mean()
    run.optimiser.zero_grad(set_to_none=True)
    torch.autograd.backward(paired + recipe.findings_weight(run.step) * findings)
    nn.utils.clip_grad_norm_(run.towers.parameters(), 1.0)
    run.optimiser.step()
    # CLIP's own bound: scores are scaled by 100 at most.
    run.towers.logit_scale.data.clamp_(max=4.6052)
    run.averaged.update_parameters(run.towers)
    return paired, named


def _optimiser(
    towers: Towers, head: FindingsHead, recipe: Recipe
) -> torch.optim.Optimizer:
    parameters = [*towers.parameters(), *head.parameters()]
    # Biases and gains are not to shrink.
    matrices = [weight for weight in parameters if weight.ndim > 1]
    vectors = [weight for weight in parameters if weight.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": recipe.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.rate, betas=(0.9, 0.98))


def _contrastive(images: Tensor, texts: Tensor, logit_scale: Tensor) -> Tensor:
    scores = logit_scale.exp() * images @ texts.T
    own = torch.arange(len(scores))
    of_images = nn.functional.cross_entropy(scores, own)
    of_texts = nn.functional.cross_entropy(scores.T, own)
    return (of_images + of_texts) / 2


@torch.no_grad()
def _measure_statistics(towers: Towers, batches: Batches) -> None:
    """Batch normalisation of averaged weights needs statistics of its own."""
    norms = [
        module
        for module in towers.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
    ]
    if not norms:
        return
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over the batches
    towers.train()
    for number in range(_STATISTICS_BATCHES):
        towers.images(batches[number].pixels)


def _save(run: _Run, identity: dict[str, str | int | float], file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    # Written apart, then moved: a kill leaves the old state or the new one, whole.
    written = file.with_suffix(".part")
    torch.save({"identity": identity, **run.state()}, written)
    os.replace(written, file)


def _resume(
    run: _Run,
    identity: dict[str, str | int | float],
    file: Path,
    say: Callable[[str], None],
) -> None:
    if not file.exists():
        return
    state = torch.load(file, weights_only=True)
    if state["identity"] != identity:
        differences = _differences(state["identity"], identity)
        raise OtherRunError(
            f"Expected {file} to be of the same run, got {', '.join(differences)}."
            " Delete its folder, or give another one with --work."
        )
    run.restore(state)
    say(f"going on from step {run.step}")


def _differences(
    stored: dict[str, str | int | float], identity: dict[str, str | int | float]
) -> list[str]:
    """What two identities differ in, in words."""
    differences = []
    for key in sorted({*stored, *identity}):
        before = stored.get(key)
        now = identity.get(key)
        if before != now:
            differences.append(f"{key}={before!r} there and {now!r} here")
    return differences
