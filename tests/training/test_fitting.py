"""A run that is killed ends with the weights that it would have had, and hides what its
recipe says.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from training import fitting
from training.batches import Batches
from training.corpus import Corpus
from training.fitting import OtherRunError, fit
from training.hiding import DEEPEST, FILLS, GRIDS, KEPT_OUT, hide_some
from training.network import OpenClipTowers, Towers, build_towers
from training.recipes import RECIPES, Recipe
from training.text import train_tokenizer

RECIPE = Recipe(pairs=8 * 8, pool=24, batch=8, hidden=0.5)
"""Eight steps, in which each of 24 pairs is seen two or three times."""
SIZES = (3, 2)


def corpus(pairs: int = 24) -> Corpus:
    random = np.random.Generator(np.random.PCG64(5))
    reports = [
        f"Report {number} of the {'left' if number % 2 else 'right'} side."
        for number in range(pairs)
    ]
    pictures = np.zeros((pairs, 96, 96), dtype=np.uint8)
    for number, picture in enumerate(pictures):
        top, left = 18 * (number // 5), 18 * (number % 5)
        picture[top : top + 18, left : left + 18] = 255
    return Corpus(pictures, reports, random.integers(0, 2, (pairs, 2)), SIZES)


def run(
    recipe: Recipe, state: Path, stop_after: int | None = None, network: str = "clip"
) -> Towers:
    torch.set_num_threads(1)
    held = corpus(recipe.pool)
    tokenizer = train_tokenizer(held.reports)
    torch.manual_seed(0)
    towers = build_towers(network, tokenizer)
    ids = np.array(
        tokenizer(held.reports, padding="max_length", max_length=77)["input_ids"],
        dtype=np.int64,
    )
    batches = Batches(held, ids, recipe.batch, 0, recipe.hidden)
    identity = {"name": "test", **recipe.as_json()}
    return fit(
        towers,
        batches,
        SIZES,
        recipe,
        identity,
        state,
        lambda _: None,
        stop_after,
        torch.float32,
    )[0]


@pytest.fixture(scope="module", autouse=True)
def _few_statistics() -> Iterator[None]:
    """Fewer batches for the statistics of batch normalisation: they come after training."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "_STATISTICS_BATCHES", 3)
        yield


@pytest.mark.parametrize("network", ["clip", "open_clip"])
def test_a_run_that_stops_and_goes_on_ends_with_the_same_weights(
    tmp_path: Path, network: str
) -> None:
    whole = run(RECIPE, tmp_path / "whole.pt", network=network)
    run(RECIPE, tmp_path / "stopped.pt", stop_after=4, network=network)
    resumed = run(RECIPE, tmp_path / "stopped.pt", network=network)
    for one, other in zip(
        whole.state_dict().values(), resumed.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other)


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")
def test_a_run_killed_at_any_moment_goes_on(tmp_path: Path) -> None:
    """A real kill, while states are written after every step: what is on disk is always whole."""
    state = tmp_path / "state.pt"
    endless = replace(RECIPE, pairs=80_000)
    child = os.fork()
    if child == 0:
        try:
            fitting._SAVE_EVERY_S = 0.0
            run(endless, state)
        finally:
            os._exit(0)
    deadline = time.monotonic() + 120
    while not state.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    os.kill(child, signal.SIGKILL)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    held = torch.load(state, weights_only=True)
    assert held["step"] > 0
    run(endless, state, stop_after=held["step"] + 1)
    assert torch.load(state, weights_only=True)["step"] == held["step"] + 1


def test_a_state_of_another_recipe_is_refused_and_kept(tmp_path: Path) -> None:
    state = tmp_path / "state.pt"
    run(RECIPE, state, stop_after=1)
    before = state.read_bytes()
    with pytest.raises(
        OtherRunError,
        match=r"got rate=0.001 there and 0.01 here. Delete its folder, or .* --work",
    ):
        run(replace(RECIPE, rate=0.01), state)
    assert state.read_bytes() == before


def test_training_lowers_the_loss(tmp_path: Path) -> None:
    """12 pairs seen 20 times start to be told apart."""
    recipe = replace(RECIPE, pool=12, batch=12, hidden=0.0, warmup=5, average=0.9)
    short = run(replace(recipe, pairs=12), tmp_path / "short.pt")
    long = run(replace(recipe, pairs=12 * 20), tmp_path / "long.pt")
    # The loss of a guess among 12 is their logarithm, 2.48.
    assert contrastive_loss(short) > 2.3
    assert contrastive_loss(long) < 2.2


@torch.no_grad()
def contrastive_loss(towers: Towers) -> float:
    """Cross-entropy of finding each of 12 reports by its picture."""
    held = corpus(12)
    tokenizer = train_tokenizer(held.reports)
    ids = np.array(
        tokenizer(held.reports, padding="max_length", max_length=77)["input_ids"]
    )
    batch = Batches(held, ids, 12, 0, 0.0)[0]
    scores = towers.images(batch.pixels) @ towers.texts(batch.tokens).T
    scaled = scores * towers.logit_scale.exp()
    return float(torch.nn.functional.cross_entropy(scaled, torch.arange(12)))


def test_open_clips_text_tower_embeds_as_its_own_code_does() -> None:
    held = corpus()
    tokenizer = train_tokenizer(held.reports)
    towers = build_towers("open_clip", tokenizer).eval()
    assert isinstance(towers, OpenClipTowers)
    short = torch.tensor(tokenizer(held.reports, padding=True)["input_ids"])
    whole = torch.tensor(
        tokenizer(held.reports, padding="max_length", max_length=77)["input_ids"]
    )
    with torch.inference_mode():
        own = towers.inner.encode_text(whole, normalize=True)
        assert torch.allclose(towers.texts(short), own, atol=1e-6)


# The schedule


def test_the_rate_warms_up_stays_and_decays() -> None:
    recipe = Recipe(pairs=64_000)
    assert recipe.factor(0) < 0.1
    assert recipe.factor(400) == 1
    assert 0 < recipe.factor(recipe.steps - 1) < 0.01


def test_the_weight_of_the_findings_falls_in_a_straight_line() -> None:
    recipe = Recipe(findings=2.0, findings_end=1.0)
    assert recipe.findings_weight(0) == 2
    assert recipe.findings_weight(recipe.steps) == 1
    assert recipe.findings_weight(recipe.steps // 2) == pytest.approx(1.5, abs=0.01)


def test_the_robust_encoder_differs_from_the_plain_one_by_hiding_alone() -> None:
    assert (
        replace(RECIPES["tiny-cxr-clip-robust"], hidden=0.0) == RECIPES["tiny-cxr-clip"]
    )


# Hiding


def test_about_the_asked_share_is_hidden_and_never_too_much() -> None:
    random = np.random.Generator(np.random.PCG64(1))
    pixels = 0.25 + 0.5 * torch.rand(200, 3, 96, 96)
    hidden = hide_some(pixels, range(200), 0.5, random)
    changed = (hidden != pixels).any(dim=1).float().mean(dim=(1, 2))
    assert 0.35 < (changed > 0).float().mean() < 0.65
    assert changed.max() <= DEEPEST + 0.03


def test_what_is_kept_out_of_training_is_not_used_in_it() -> None:
    assert KEPT_OUT["grid"] not in GRIDS
    assert KEPT_OUT["fill"] not in FILLS
    assert fitting._SAVE_EVERY_S == 60


def test_nothing_is_hidden_where_the_share_is_nought() -> None:
    pixels = torch.rand(2, 3, 96, 96)
    assert (
        hide_some(pixels, range(2), 0.0, np.random.Generator(np.random.PCG64(1)))
        is pixels
    )
