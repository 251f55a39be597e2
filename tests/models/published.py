"""Checkpoints in the published layouts, and the goldens' pictures and texts.

The rule: a tensor's values follow from its key alone (PCG64 seeded with the key's
SHA-256), so that a checkpoint of half a gigabyte is a manifest of 40 KB, and the same
on every machine.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

PARITY = Path(__file__).parent / "parity"
VARIANTS = (
    "medclip_resnet",
    "medclip_vit",
    "cxrclip_resnet",
    "cxrclip_swin",
    "cxr_repair",
)
_PART = 2**16
_CONSTANT_INTEGERS = {"num_batches_tracked": 1000}


def manifest(variant: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(
        (PARITY / "manifests" / f"{variant}.json").read_text(encoding="utf-8")
    )
    return content


@functools.cache
def goldens(variant: str) -> Mapping[str, NDArray[Any]]:
    with np.load(PARITY / "goldens" / f"{variant}.npz", allow_pickle=False) as arrays:
        return dict(arrays)


def state_dict(variant: str) -> dict[str, torch.Tensor]:
    """The weights of a variant under its published keys."""
    described = manifest(variant)
    overrides = described.get("fill_overrides", {})
    tied = described.get("tied", {})
    weights = {}
    for key, shape, dtype in described["entries"]:
        # Tied weights have one key's values.
        source = tied.get(key, key)
        values = _filled(source, tuple(shape), dtype, overrides.get(key))
        weights[key] = torch.from_numpy(values)
    return weights


def slim_state_dict(variant: str) -> dict[str, torch.Tensor]:
    """Every published key with its shape and kind, and one value per tensor.

    Saved, it takes kilobytes: for what does not depend on the values.
    """
    return {
        key: torch.tensor(1, dtype=getattr(torch, dtype)).expand(shape)
        for key, shape, dtype in manifest(variant)["entries"]
    }


def save(
    variant: str, folder: Path, state: Mapping[str, torch.Tensor] | None = None
) -> Path:
    """The variant's checkpoint file, in the container that its authors publish."""
    folder.mkdir(parents=True, exist_ok=True)
    weights: dict[str, Any] = dict(state or state_dict(variant))
    if variant.startswith("cxrclip"):
        config = manifest(variant)["config"]
        around = {
            "optimizer": {},
            "scheduler": {},
            "config": config,
            "epoch": 15,
            "train_loss": 1.25,
        }
        weights = {"model": weights, **around}
    file = folder / f"{variant}.tar"
    if variant.startswith("medclip"):
        file = folder / "pytorch_model.bin"
    torch.save(weights, file)
    return file


def _filled(
    key: str, shape: tuple[int, ...], dtype: str, constant: float | None
) -> NDArray[Any]:
    count = math.prod(shape)
    last = key.rpartition(".")[2]
    if constant is not None:
        values: NDArray[Any] = np.full(shape, constant)
    elif dtype.startswith("int"):
        values = _integers(last, shape, count)
    elif last == "logit_scale":
        values = np.full(shape, math.log(1 / 0.07))
    else:
        return _drawn(key, shape, dtype)
    return np.asarray(values.astype(dtype, copy=False))


def _drawn(key: str, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    """Values in [-1, 1) of 24 bits each, on the scale of the key's kind."""
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "little")
    generator = np.random.PCG64(seed)
    values = np.empty(math.prod(shape), dtype)
    # The largest networks have a hundred million values: in parts they stay in the cache.
    for start in range(0, len(values), _PART):
        part = values[start : start + _PART]
        words = generator.random_raw(len(part))
        words >>= np.uint64(40)
        uniform = words.astype(np.float64)
        uniform *= 2.0**-23
        uniform -= 1
        part[:] = _scaled(key.rpartition(".")[2], shape, uniform)
    return values.reshape(shape)


def _scaled(
    last: str, shape: tuple[int, ...], uniform: NDArray[np.float64]
) -> NDArray[np.float64]:
    if last == "running_var":
        return 1 + 0.2 * uniform
    if last == "running_mean":
        return 0.2 * uniform
    if len(shape) == 1 and last == "weight":
        return 1 + 0.1 * uniform
    if last.endswith("bias"):
        return 0.05 * uniform
    uniform *= math.sqrt(3 / math.prod(shape[1:] or shape))
    return uniform


def _integers(last: str, shape: tuple[int, ...], count: int) -> NDArray[np.int64]:
    if last == "position_ids":
        return np.arange(count).reshape(shape)
    if last == "relative_position_index":
        return _swin_index(math.isqrt(shape[0]))
    return np.full(shape, _CONSTANT_INTEGERS[last])


def _swin_index(window: int) -> NDArray[np.int64]:
    """Which of the (2w - 1)^2 relative offsets each pair of cells of a window has."""
    cells = np.stack(np.divmod(np.arange(window * window), window), axis=1)
    down, across = (cells[:, None] - cells[None] + window - 1).transpose(2, 0, 1)
    return np.asarray(down * (2 * window - 1) + across)


# name: mode, width, height
_PICTURES = (
    ("L", 256, 256),
    ("L", 251, 301),
    ("L", 333, 240),
    ("L", 150, 120),
    ("RGB", 272, 231),
    ("RGB", 225, 410),
)


def picture(index: int) -> Image.Image:
    """Picture 0 to 5: ramps, a checkerboard, a disc and noise; the last two in colour.

    Only integers are used, so that every machine gets the same picture.
    """
    mode, width, height = _PICTURES[index]
    number = index + 1
    y, x, c = np.indices((height, width, len(mode)), dtype=np.int64)
    ramp = (
        (y * 255) // (height - 1) * number + (x * 255) // (width - 1) * (7 - number)
    ) // 7
    if number % 2 == 0:
        ramp = 255 - ramp
    board = 60 * ((y // (9 + 2 * number) + x // (14 + 3 * number)) % 2) - 30
    down = height * (number + 1) // 9
    across = width * (8 - number) // 9
    radius = min(height, width) * (2 + c) // 12
    disc = np.where(
        (y - down) ** 2 + (x - across) ** 2 < radius * radius, 90 - 60 * c, 0
    )
    noise = (
        (x * 73856093 ^ y * 19349663 ^ c * 83492791 ^ number * 49979687) >> 7
    ) % 32 - 16
    pixels = np.clip(ramp + board + disc + noise, 0, 255).astype(np.uint8)
    return Image.fromarray(pixels[:, :, 0] if mode == "L" else pixels)


_FINDINGS = (
    "patchy opacity",
    "linear atelectasis",
    "calcified granuloma",
    "mild interstitial edema",
    "small effusion",
    "consolidation",
)
_SITES = (
    "right upper lobe",
    "right middle lobe",
    "right lower lobe",
    "left upper lobe",
    "left lower lobe",
    "lingula",
    "left costophrenic angle",
    "right hilum",
)
TEXTS = (
    "No acute cardiopulmonary process.",
    (
        "FINDINGS:\n The heart is mildly enlarged.\n\n 1. Small left pleural"
        " effusion.\n 2. No pneumothorax."
    ),
    "In comparison with the study of ___, the ___ tube tip is 4.5 cm above the carina.",
    " ".join(
        f"There is {_FINDINGS[n % 6]} in the {_SITES[n * 3 % 8]} measuring {n + 3} mm."
        for n in range(18)
    ),
    " \n ",
    "Größe PORTABLE AP chest — ET-tube; naïve 100% & <5 mm nodule &amp; Scarring?",
)

_WORDS = (
    "no acute process the heart is left of in with study tube tip cm above there small"
    " chest right lobe upper lower middle pleural effusion patchy opacity edema mild mm"
    " and No The There In FINDINGS PORTABLE AP Small Scarring cardio enlarge pneumo"
    " measur atelect carin nod granul consolid comparison interstitial pulmonary"
    " ##pulmonary ##ly ##d ##ing ##asis ##thorax ##a ##ule ##oma ##ation ##line ##al"
)


def vocabulary() -> list[str]:
    """354 word pieces; some words stand in both cases, so that a wrong casing changes the ids."""
    characters = [chr(code) for code in range(33, 127)]
    pieces = [
        "[PAD]",
        *(f"[unused{n}]" for n in range(1, 100)),
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
    ]
    pieces += characters + [f"##{character}" for character in characters]
    return list(dict.fromkeys([*pieces, *_WORDS.split()]))


def save_tokenizer(folder: Path, rows: int = 28996) -> Path:
    """A stand-in for Bio_ClinicalBERT's repository, which says nothing on casing."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(vocabulary()) + "\n", encoding="utf-8")
    (folder / "config.json").write_text(
        json.dumps({"model_type": "bert", "vocab_size": rows}), encoding="utf-8"
    )
    return folder
