"""What hiding costs on the device, beside a copy of the same bytes."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pytest_retrieval_robust.occluders import _compiled

from ..occlusion import hiding_ratios, whole_path_ratios
from ..side_by_side import Ratio
from .steps import Notebook, Setting, Target

_FILLS = ("black", "white", "noise", "mean", "donor")
_ROUNDS = 3
_TARGET = Target(1.25)


def run(setting: Setting, notebook: Notebook) -> None:
    names = [f"patches(fill={fill})" for fill in _FILLS]
    dtypes = [torch.float32, torch.bfloat16, torch.uint8]
    images = setting.size(256, 4)
    if setting.quick:
        names = names[:2]
        dtypes = dtypes[:1]
    same = hiding_ratios(
        setting.device, images=images, rounds=_ROUNDS, names=names, dtypes=dtypes
    )
    _note(same, notebook, "to a copy")
    whole = whole_path_ratios(
        setting.device, images=images, rounds=_ROUNDS, names=names
    )
    _note(whole, notebook, "to a copy that converts")
    if setting.on_real_gpu:
        why = _compiled.why_not_compiled()
        notebook.check("the compiled pass is used", why is None, why or "")


def _note(ratios: Sequence[Ratio], notebook: Notebook, to: str) -> None:
    for ratio in ratios:
        # The target is of what every level after the first costs, in one pass.
        is_aimed_at = "black" in ratio.name and not ratio.name.endswith(
            ("first", "the long way")
        )
        target = _TARGET if is_aimed_at else None
        notebook.figure(f"{ratio.name} {to}", ratio.device, "", target)
        notebook.figure(f"{ratio.name} {to}, waited for", ratio.waited)
