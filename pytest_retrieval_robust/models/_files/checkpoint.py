"""The files of a checkpoint: which hold weights, their hash, their keys, their licence."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from ...core.errors import ModelError
from ...core.files import is_regular, open_regular

_WEIGHTS = ("*.safetensors", "pytorch_model*.bin", "open_clip_pytorch_model.bin")
_CHUNK = 1 << 20
_FRONT_MATTER_LINES = 60


def weight_files(folder: Path) -> list[Path]:
    """The files that hold a folder's weights: safetensors if there are any, else pickles."""
    # A folder with both layouts is read as the libraries read it: safetensors first.
    for pattern in _WEIGHTS:
        files = sorted(folder.glob(pattern))
        if files:
            return files
    return []


def sha256_of(files: Iterable[Path]) -> str | None:
    """One hash over the files' contents in order; None for no files."""
    digest = hashlib.sha256()
    count = 0
    for path in files:
        count += 1
        with open_regular(path) as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest() if count else None


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


def licence_of(folder: Path) -> str | None:
    """The `license:` of a model card's front matter, if the folder has one.

    For a licence that the hub has no word for (`other`), it is the `license_name:`.
    """
    card = folder / "README.md"
    if not card.is_file():
        return None
    # Only the front matter is of interest, not the text of a long card.
    lines = card.read_text(encoding="utf-8", errors="replace").splitlines()
    stated: dict[str, str] = {}
    for line in lines[:_FRONT_MATTER_LINES]:
        key, _, value = line.partition(":")
        stated.setdefault(key, value.strip())
    licence = stated.get("license")
    if licence == "other":
        licence = stated.get("license_name") or licence
    return licence or None


def revision_of(folder: Path) -> str | None:
    """The commit that a snapshot folder of the Hugging Face cache is named after."""
    return folder.name if folder.parent.name == "snapshots" else None


def require_regular_members(name: str, folder: Path) -> None:
    """`ModelError` for a FIFO, device or socket in a folder, which a library would read forever.

    An index of shards may name only files of its own folder.
    """
    if not folder.is_dir():
        return
    for member in sorted(folder.iterdir()):
        if member.exists() and not member.is_dir() and not is_regular(member):
            raise ModelError(
                f"Expected only regular files in the folder of {name}, got"
                f" {member.name}, which is a FIFO, a device or a socket. Replace it by"
                " the file itself."
            )
    for index in sorted(folder.glob("*.index.json")):
        _require_own_shards(name, index)


def _require_own_shards(name: str, index: Path) -> None:
    try:
        weight_map = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        shards = set(weight_map.values())
    except (
        OSError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RecursionError,
    ):
        return  # The library refuses a damaged index itself.
    # A library would follow a path out of the folder.
    elsewhere = [
        shard
        for shard in shards
        if not isinstance(shard, str) or Path(shard).name != shard
    ]
    if elsewhere:
        raise ModelError(
            f"Expected {index.name} of {name} to name files of its own folder, got"
            f" {len(elsewhere)} that lie elsewhere. Copy the shards beside it, and"
            " write only their names."
        )
