"""Small checks that every loader shares: hashes of weight files, keys that did not fit,
unit rows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import ModelError
from ...files import is_regular, open_regular
from .attempt import shown_path

if TYPE_CHECKING:
    from torch import Tensor

HARMLESS_KEYS = ("position_ids",)
"""Buffers that old libraries saved and new ones compute: dropped by name, and listed as dropped."""
TEMPERATURE = ("logit_scale", "logit_bias")
"""Scale and shift of all scores alike: no rank depends on them, so a checkpoint may lack them."""
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin", "open_clip_pytorch_model.bin")


def weight_files(folder: Path) -> list[Path]:
    """The files that hold a folder's weights: safetensors where there are any, else pickles."""
    for pattern in _WEIGHTS:
        found = sorted(folder.glob(pattern))
        if found:
            return found
    return []


def sha256_of(files: Iterable[Path]) -> str | None:
    """One hash over the files' contents in order; None for no files."""
    digest, some = hashlib.sha256(), False
    for path in files:
        some = True
        with open_regular(path) as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest() if some else None


def is_harmless(key: str) -> bool:
    return key.rsplit(".", 1)[-1] in HARMLESS_KEYS


def is_temperature(key: str) -> bool:
    return key.rsplit(".", 1)[-1] in TEMPERATURE


def require_regular_members(name: str, folder: Path) -> None:
    """`ModelError` for a FIFO, device or socket in a folder that a library is about to
    read: it would never end.

    An index of shards may name files of its own folder alone.
    """
    for member in sorted(folder.iterdir()) if folder.is_dir() else ():
        if member.exists() and not member.is_dir() and not is_regular(member):
            raise ModelError(
                f"Expected regular files alone in the folder of {name}, got"
                f" {member.name}, which is a FIFO, a device or a socket. Replace it by"
                " the file itself."
            )
    for index in sorted(folder.glob("*.index.json")):
        _require_own_shards(name, index)


def _require_own_shards(name: str, index: Path) -> None:
    try:
        shards = set(
            json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
        )
    except (
        OSError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RecursionError,
    ):
        return  # the library will refuse it
    strange = [
        shard
        for shard in shards
        if not isinstance(shard, str) or Path(shard).name != shard
    ]
    if strange:
        raise ModelError(
            f"Expected {index.name} of {name} to name files of its own folder, got"
            f" {len(strange)} that lie elsewhere. Copy the shards beside it, and write"
            " their names alone."
        )


def keys_in(files: Iterable[Path]) -> list[str]:
    """The keys of safetensors files, read from their headers.

    A pickle's keys are not read: it would have to run.
    """
    from safetensors import safe_open

    keys: list[str] = []
    for path in files:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as stored:
                keys += stored.keys()
    return keys


def require_no_missing(name: str, missing: Sequence[str]) -> None:
    """A weight that the checkpoint lacks would stay random: `ModelError` that lists them.

    The temperature may be missing: no rank depends on it.
    """
    needed = sorted(key for key in missing if not is_temperature(key))
    if needed:
        listed = ", ".join(needed[:8]) + (", ..." if len(needed) > 8 else "")
        raise ModelError(
            f"Expected a checkpoint with every weight of {name}, got"
            f" missing_keys={len(needed)}: {listed}. Its architecture and the"
            " checkpoint do not belong together; load the matching one."
        )


def require_fit(
    name: str, words: int, rows: int | None, source: str = "its own"
) -> None:
    """`ModelError` where a tokenizer has no vocabulary, or more entries than the
    embedding table has rows.

    Five words are what transformers makes up where it finds no vocabulary: every report
    would read the same.
    """
    if words <= 5 or (rows is not None and words > rows):
        fitting = (
            "with a vocabulary"
            if rows is None
            else f"that fits the {rows} rows of {name}'s embedding table"
        )
        raise ModelError(
            f"Expected a tokenizer {fitting}, got tokenizer={shown_path(source)!r} with"
            f" vocabulary={words}. Give the tokenizer that the checkpoint was trained"
            " with, whole (tokenizer.json or vocab.txt)."
        )


def licence_of(folder: Path) -> str | None:
    """The `license:` of a model card's front matter, if the folder has one."""
    card = folder / "README.md"
    if not card.is_file():
        return None
    for line in card.read_text(encoding="utf-8", errors="replace").splitlines()[:60]:
        if line.startswith("license:"):
            return line.partition(":")[2].strip() or None
    return None


def torch_dtype(precision: str) -> Any:
    import torch

    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[
        precision
    ]


def require_numbers(
    name: str, key: str, tensor: Tensor, *, weight: bool = True
) -> None:
    """`ModelError` for a weight or buffer with NaN, and for a weight that is infinite:
    it is damaged.

    A buffer may be infinite, as masks of attention are.
    """
    if (
        not tensor.is_floating_point()
        or tensor.is_meta
        or bool(tensor.sum().isfinite())
    ):
        return  # a sum of numbers may overflow, so that only a finite one decides
    bad = int((~tensor.isfinite() if weight else tensor.isnan()).sum())
    if bad:
        raise ModelError(
            f"Expected finite weights of {name}, got {bad} of {tensor.numel()} values"
            f" of {key} that are NaN or infinite. The checkpoint is damaged, or its"
            " training diverged: use an earlier one."
        )


def described_encoder(encoder: Any) -> str:
    """The neutral one-line `repr` of an encoder: no path is in it."""
    precision = getattr(encoder, "precision", None)
    how = "" if precision is None else f", {precision}"
    return f"<{type(encoder).__name__} {encoder.name} on {encoder.device}{how}>"


def unit_rows(features: Tensor) -> Tensor:
    """Rows of length 1 in float32.

    A zero or NaN row stays one: the sweep reports it with the image's id hash.
    """
    rows = features.float()
    lengths: Tensor = rows.norm(dim=-1, keepdim=True).clamp_min(1e-12)
    return rows / lengths
