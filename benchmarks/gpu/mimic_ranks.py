"""Ranks at the size of MIMIC-CXR: how long they take, and that they are float64's."""

from __future__ import annotations

import torch

from pytest_retrieval_robust.retrieval.ranking._precisions import IN_FLOAT32

from ..ranks_on_device import IMAGES, REPORTS, differing, made, measure
from .steps import Notebook, Setting, Target

_COSINE = 0.5
_NEAR_CHANCE = 0.05
_SMALLER = 6
"""By which each side is divided for what is tried first: 1/36 of the pairs."""
_MOST_SECONDS = 25.0
_CHECKED_IMAGES = 2000
_CHECKED_REPORTS = 500
_TARGET = Target(2.0)


def run(setting: Setting, notebook: Notebook) -> None:
    device = torch.device(setting.device)
    images = setting.size(IMAGES // _SMALLER, 500)
    reports = setting.size(REPORTS // _SMALLER, 300)
    small = made(device, _COSINE, images, reports)
    usual = measure(small)
    notebook.fact("kernels of ranks", usual.kernels)
    notebook.figure("1/36 of the pairs", usual.seconds, "s")
    in_float32 = measure(small, filters=(IN_FLOAT32,))
    notebook.figure("1/36 of the pairs, filtered in float32", in_float32.seconds, "s")
    hard = measure(made(device, _COSINE, images, reports, _NEAR_CHANCE))
    notebook.figure("1/36 of the pairs, near chance", hard.seconds, "s")
    notebook.figure("share in doubt, near chance", hard.share_in_doubt)
    wrong = differing(small, usual, _CHECKED_IMAGES, _CHECKED_REPORTS)
    notebook.check("1/36 of the pairs: ranks are float64's", wrong == 0, f"{wrong}")
    del small
    if not setting.quick:
        _whole(device, min(usual.seconds) * _SMALLER**2, notebook)


def _whole(device: torch.device, predicted: float, notebook: Notebook) -> None:
    if predicted > _MOST_SECONDS:
        notebook.skip("ranks of MIMIC-CXR, whole", f"{predicted:.0f} s are predicted")
        return
    case = made(device, _COSINE)
    result = measure(case, rounds=1 if predicted > 5 else 3)
    size = f"{IMAGES:,} x {REPORTS:,}"
    notebook.figure(f"{size}, both directions", result.seconds, "s", _TARGET)
    notebook.figure(f"{size}, share in doubt", result.share_in_doubt)
    if device.type == "cuda":
        notebook.figure(f"{size}, memory beyond the rows", result.peak_mib, "MiB")
    wrong = differing(case, result, _CHECKED_IMAGES, _CHECKED_REPORTS)
    notebook.check(f"{size}: ranks are float64's", wrong == 0, f"{wrong} differ")
