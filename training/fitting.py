"""The training loop: contrastive loss, a throw-away head for the findings, averaged weights."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from transformers import CLIPModel

from pytest_retrieval_robust.datasets.synthetic_cxr.studies import SLOTS
from training.corpus import Corpus
from training.network import embed_images, embed_texts, normalise

_SHIFT = 3


@dataclass(frozen=True)
class Recipe:
    """`pairs` seen in all, `batch` at a time; `findings` weighs the findings' loss against the contrastive one."""

    pairs: int = 84_000
    batch: int = 64
    rate: float = 1e-3
    warmup: int = 60
    decay: float = 0.4
    weight_decay: float = 0.05
    average: float = 0.99
    findings: float = 2.0

    @property
    def steps(self) -> int:
        return max(1, self.pairs // self.batch)

    def factor(self, step: int) -> float:
        """The share of the full learning rate at `step`: warm-up, plateau, linear decay."""
        left = (self.steps - step) / max(1.0, self.decay * self.steps)
        return min(1.0, (step + 1) / self.warmup, left)


class FindingsHead(nn.Module):
    """One linear layer for both towers that names the state of every slot."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.sizes = [len(slot.states) for slot in SLOTS]
        self.linear = nn.Linear(width, sum(self.sizes))

    def loss(self, rows: Tensor, labels: Tensor) -> Tensor:
        """Mean cross-entropy of (batch, width) unit rows against (batch, slots) states."""
        parts = self.linear(rows * self.linear.in_features**0.5).split(self.sizes, dim=1)
        losses = [nn.functional.cross_entropy(part, labels[:, slot]) for slot, part in enumerate(parts)]
        return torch.stack(losses).mean()


def fit(
    model: CLIPModel, corpus: Corpus, ids: NDArray[np.int64], recipe: Recipe, seed: int, say: Callable[[str], None]
) -> CLIPModel:
    """Train `model` on `corpus` with its token `ids` (pairs, context); give back the averaged weights."""
    torch.manual_seed(seed)
    head = FindingsHead(model.config.projection_dim)
    optimiser, schedule = _optimiser(model, head, recipe)
    averaged = AveragedModel(model, avg_fn=lambda old, new, _: old.lerp(new, 1 - recipe.average))
    batches = _Batches(corpus, ids, recipe.batch, seed)
    began = time.monotonic()
    for step in range(recipe.steps):
        pictures, tokens, labels = batches.take()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            images, texts = embed_images(model, pictures), embed_texts(model, tokens)
        named = head.loss(images, labels) + head.loss(texts, labels)
        paired = _contrastive(images, texts, model.logit_scale)
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(paired + recipe.findings * named)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        model.logit_scale.data.clamp_(max=4.6052)
        averaged.update_parameters(model)
        if step % 50 == 0 or step + 1 == recipe.steps:
            spent = time.monotonic() - began
            losses = f"contrastive {paired.item():.3f} findings {named.item() / 2:.3f}"
            losses = f"contrastive {paired.item():.3f} findings {named.item() / 2:.3f}"
            say(f"step {step + 1}/{recipe.steps}: {losses} {spent:.0f} s")
    trained = averaged.module
    assert isinstance(trained, CLIPModel)
    return trained.eval()


def _optimiser(
    model: CLIPModel, head: FindingsHead, recipe: Recipe
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    parameters = [*model.parameters(), *head.parameters()]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=recipe.rate, betas=(0.9, 0.98))
    return optimiser, torch.optim.lr_scheduler.LambdaLR(optimiser, recipe.factor)


def _contrastive(images: Tensor, texts: Tensor, logit_scale: Tensor) -> Tensor:
    scores = logit_scale.exp() * images @ texts.T
    own = torch.arange(len(scores))
    return (nn.functional.cross_entropy(scores, own) + nn.functional.cross_entropy(scores.T, own)) / 2


class _Batches:
    """Endless batches in a fresh order each time the pairs run out."""

    def __init__(self, corpus: Corpus, ids: NDArray[np.int64], batch: int, seed: int) -> None:
        self._corpus, self._ids, self._batch = corpus, ids, min(batch, len(corpus.reports))
        self._random = np.random.Generator(np.random.PCG64(seed))
        self._order: NDArray[np.int64] = np.empty(0, dtype=np.int64)

    def take(self) -> tuple[Tensor, Tensor, Tensor]:
        """Pixels (batch, 3, size, size), token ids (batch, longest) and labels (batch, slots)."""
        if len(self._order) < self._batch:
            self._order = self._random.permutation(len(self._corpus.reports))
        chosen, self._order = self._order[: self._batch], self._order[self._batch :]
        tokens = self._ids[chosen]
        end = tokens.max()
        longest = int((tokens == end).argmax(axis=1).max()) + 1
        pictures = normalise(torch.from_numpy(self._shifted(self._corpus.pictures[chosen])))
        return pictures, torch.from_numpy(tokens[:, :longest]), torch.from_numpy(self._corpus.labels[chosen])

    def _shifted(self, pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Move each picture by up to `_SHIFT` pixels each way."""
        size = pictures.shape[1]
        padded = np.pad(pictures, ((0, 0), (_SHIFT, _SHIFT), (_SHIFT, _SHIFT)), mode="edge")
        moves = self._random.integers(0, 2 * _SHIFT + 1, (len(pictures), 2)).tolist()
        return np.stack([one[y : y + size, x : x + size] for one, (y, x) in zip(padded, moves, strict=True)])
