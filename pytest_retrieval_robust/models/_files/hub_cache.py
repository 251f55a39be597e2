"""What the Hugging Face cache of this machine holds, and in which library's layout.

Looks at files only, and imports no model library.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ...core.files import is_regular

OPEN_CLIP_CONFIG = "open_clip_config.json"
_TRANSFORMERS_WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
OPEN_CLIP_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
"""In the order in which one is taken."""
_CONFIGS = ("config.json", OPEN_CLIP_CONFIG)


def cached_folder(repository: str, revision: str | None = None) -> Path | None:
    """The snapshot folder of a repository if its config and weights are cached, else None."""
    config = first_cached(repository, _CONFIGS, revision)
    weights = first_cached(
        repository, (*_TRANSFORMERS_WEIGHTS, *OPEN_CLIP_WEIGHTS), revision
    )
    return config.parent if config and weights else None


def first_cached(
    repository: str, names: tuple[str, ...], revision: str | None = None
) -> Path | None:
    """The first of the named files that is cached, or None."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    for name in names:
        try:
            cached = try_to_load_from_cache(repository, name, revision=revision)
        # A path of the user's is no name of a repository.
        except HFValidationError:
            return None
        # Other results say that the file is unknown, or known to be absent.
        if isinstance(cached, str):
            return Path(cached)
    return None


def in_open_clip_layout(folder: Path) -> bool:
    """Whether a snapshot is in open_clip's layout alone: transformers' goes before it."""
    deciding = (*_CONFIGS, *_TRANSFORMERS_WEIGHTS)
    names = {name for name in deciding if (folder / name).is_file()}
    if OPEN_CLIP_CONFIG in names and is_of_timm(folder / "config.json"):
        return True
    return is_open_clip_listing(names)


def is_of_timm(config: Path) -> bool:
    """Whether a configuration is timm's, whose weights beside it are the image tower alone.

    Repositories of timm hold one image tower twice: for timm, and in a whole model for
    open_clip.
    """
    content = _settings_in(config)
    return "architecture" in content and "model_type" not in content


def model_type_in(folder: Path) -> str:
    """`model_type` of a folder's config.json; empty if there is none."""
    return str(_settings_in(folder / "config.json").get("model_type", ""))


def _settings_in(config: Path) -> dict[str, Any]:
    """A configuration; empty if it cannot be read, which the library reports."""
    # Reading a FIFO of this name would never end.
    if not is_regular(config):
        return {}
    try:
        content = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def is_open_clip_listing(names: set[str]) -> bool:
    """Whether these are the files of a repository in open_clip's layout alone."""
    has_transformers_weights = not names.isdisjoint(_TRANSFORMERS_WEIGHTS)
    is_transformers = "config.json" in names and has_transformers_weights
    return OPEN_CLIP_CONFIG in names and not is_transformers
