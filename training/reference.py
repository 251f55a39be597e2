"""Makes a reference encoder: `python -m training.reference tiny-cxr-clip`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerFast

from training.batches import Batches
from training.card import model_card
from training.corpus import Corpus, make_corpus
from training.figures import FIGURES, Figures, measure, read_figures
from training.fitting import fit
from training.integrity import write_sums
from training.network import build_towers
from training.recipes import RECIPES, SIZE, Recipe
from training.saving import save
from training.text import CONTEXT, train_tokenizer

ROOT = Path(__file__).parents[1]
WEIGHTS = ROOT / "pytest_retrieval_robust" / "models" / "weights"
WORK = ROOT / ".training"
# A tokenizer sees this many texts of each kind: more teach it nothing.
_TOKENIZER_TEXTS = 20_000
_CLOSE = {1: 0.05, 10: 0.02}


def train(
    name: str,
    recipe: Recipe,
    seed: int,
    out: Path,
    work: Path,
    threads: int,
    *,
    limit: int | None = None,
    say: Callable[[str], None] = print,
) -> Figures:
    """Train `name` into the folder `out` and measure it from there.

    It is measured on `limit` held-out pairs (None: all 500).
    """
    torch.set_num_threads(threads)
    corpus = make_corpus(recipe.source, recipe.pool, SIZE, work, threads, say)
    tokenizer = train_tokenizer(_texts(recipe, corpus, work, threads, say))
    # The same weights to start from, whatever drew random numbers before.
    torch.manual_seed(seed)
    towers = build_towers(recipe.network, tokenizer)
    parameters = sum(weight.numel() for weight in towers.parameters())
    say(f"{name} seed {seed}: {parameters} parameters, {len(tokenizer)} tokens")
    ids = _token_ids(tokenizer, corpus.reports, say)
    batches = Batches(corpus, ids, recipe.batch, seed, recipe.hidden)
    identity = {"name": name, "seed": seed, **recipe.as_json()}
    state = work / f"{name}-seed{seed}" / "state.pt"
    trained, seconds = fit(towers, batches, corpus.sizes, recipe, identity, state, say)
    save(trained, tokenizer, out)
    datasets = tuple(dict.fromkeys(("synthetic-cxr", recipe.source)))
    figures = Figures(
        name=name,
        seed=seed,
        recipe=recipe.as_json(),
        parameters=parameters,
        tokens=len(tokenizer),
        cpu_minutes=round(seconds / 60, 1),
        threads=threads,
        curves=measure(out, datasets, limit),
    )
    (out / "README.md").write_text(model_card(figures, recipe), encoding="utf-8")
    write_sums(out)
    return figures


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description="Train a reference encoder, from nothing but this repository."
    )
    parser.add_argument("name", choices=list(RECIPES))
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        help="initial weights, order, shifts (default: %(default)s)",
    )
    parser.add_argument(
        "--pairs", type=int, help="pairs seen in training (default: the recipe's)"
    )
    parser.add_argument(
        "--threads", type=int, default=2, help="CPU threads (default: %(default)s)"
    )
    parser.add_argument(
        "--work", type=Path, default=WORK, help="corpus and state (default: .training)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="folder to write (default: NAME-seedN/encoder under --work)",
    )
    parser.add_argument(
        "--figures", type=Path, help="folder for the figures (default: beside --out)"
    )
    parsed = parser.parse_args(arguments)
    recipe = RECIPES[parsed.name]
    if parsed.pairs is not None:
        recipe = replace(recipe, pairs=parsed.pairs)
    out = parsed.out or parsed.work / f"{parsed.name}-seed{parsed.seed}" / "encoder"
    figures = train(
        parsed.name, recipe, parsed.seed, out, parsed.work, parsed.threads, say=_say
    )
    written = figures.write(parsed.figures or out.parent)
    _say(f"wrote {out} and {written}")
    _compare(figures, recipe)


def _compare(figures: Figures, recipe: Recipe) -> None:
    """Say how far this run is from the first of those that are documented."""
    documented = read_figures(figures.name, FIGURES)
    for k, tolerance in _CLOSE.items():
        recall = figures.recall(recipe.source, k)[0]
        line = f"clean Recall@{k} on {recipe.source}: {recall:.3f}"
        if documented:
            expected = documented[0].recall(recipe.source, k)[0]
            verdict = "NOT within"
            if abs(recall - expected) <= tolerance:
                verdict = "within"
            line += f", documented {expected:.3f}: {verdict} {tolerance}"
        _say(line)


def _texts(
    recipe: Recipe, corpus: Corpus, work: Path, threads: int, say: Callable[[str], None]
) -> list[str]:
    """What the tokenizer learns from: a general one has met reports, too."""
    texts = corpus.reports[:_TOKENIZER_TEXTS]
    if recipe.source == "synthetic-cxr":
        return texts
    pairs = min(recipe.pool, _TOKENIZER_TEXTS)
    return texts + make_corpus("synthetic-cxr", pairs, SIZE, work, threads, say).reports


def _token_ids(
    tokenizer: PreTrainedTokenizerFast,
    reports: Sequence[str],
    say: Callable[[str], None],
) -> NDArray[np.int64]:
    """(reports, context) token ids, padded with the end."""
    ids = tokenizer(
        list(reports), padding="max_length", truncation=True, max_length=CONTEXT
    )["input_ids"]
    tokens = np.array(ids, dtype=np.int64)
    used = (tokens != tokenizer.eos_token_id).sum(axis=1) + 1
    say(
        f"{used.mean():.1f} tokens per report,"
        f" {(used == CONTEXT).mean():.1%} fill the context"
    )
    return tokens


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
