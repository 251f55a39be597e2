"""Trains a reference encoder: `python -m training.reference tiny-cxr-clip`."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerFast

from pytest_retrieval_robust.datasets.synthetic_cxr.dataset import SyntheticCxr
from training.card import model_card
from training.corpus import make_corpus
from training.fitting import Recipe, fit
from training.network import SIZE, build_network
from training.saving import Recall, measure, save
from training.text import CONTEXT, train_tokenizer

NAMES = ("tiny-cxr-clip",)
LARGEST_POOL = 40_000
_WEIGHTS = Path(__file__).parents[1] / "pytest_retrieval_robust" / "models" / "weights"


def train(name: str, recipe: Recipe, seed: int, out: Path, threads: int, test_pairs: int = 500) -> Recall:
    """Train `name` into the folder `out` and measure it on `test_pairs` held-out pairs from there."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    began, pool = time.monotonic(), min(recipe.pairs, LARGEST_POOL)
    corpus = make_corpus(pool, seed, SIZE, threads)
    _say(f"drew {pool} pairs in {time.monotonic() - began:.0f} s")
    tokenizer = train_tokenizer(corpus.reports)
    model = build_network(tokenizer)
    parameters = sum(weight.numel() for weight in model.parameters())
    _say(f"{parameters} parameters, {len(tokenizer)} tokens")
    model = fit(model, corpus, _token_ids(tokenizer, corpus.reports), recipe, seed, _say)
    save(model, tokenizer, out)
    minutes = (time.monotonic() - began) / 60
    recall = measure(out, SyntheticCxr(test_pairs))
    facts = {"parameters": parameters, "pool": pool, "seed": seed, "threads": threads}
    (out / "README.md").write_text(model_card(name, recipe, recall, minutes=minutes, **facts), encoding="utf-8")
    return recall


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Train a reference encoder on procedural chest radiographs.")
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--pairs", type=int, default=Recipe.pairs, help="pairs seen in training (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="folder to write (default: the package's weights)")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default: %(default)s)")
    given = parser.parse_args(arguments)
    out = given.out or _WEIGHTS / given.name
    recall = train(given.name, Recipe(pairs=given.pairs), given.seed, out, given.threads)
    _say("\n".join(["Recall@1, @5, @10 on held-out pairs", *recall.lines()]))


def _token_ids(tokenizer: PreTrainedTokenizerFast, reports: Sequence[str]) -> NDArray[np.int64]:
    """(reports, context) token ids, padded with the end."""
    ids = tokenizer(list(reports), padding="max_length", truncation=True, max_length=CONTEXT)["input_ids"]
    tokens = np.array(ids, dtype=np.int64)
    used = (tokens != tokenizer.eos_token_id).sum(axis=1) + 1
    _say(f"{used.mean():.1f} tokens a report, {(used == CONTEXT).mean():.1%} fill the context")
    return tokens


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
