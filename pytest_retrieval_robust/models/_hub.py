"""What the Hugging Face cache of this machine holds. Looks at files only, and imports no model library."""

from __future__ import annotations

from pathlib import Path

from ..errors import NotOnThisMachineError
from . import LoadRequest

_WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.bin",
)
_CONFIGS = ("config.json", "open_clip_config.json")


def cached_folder(repository: str, revision: str | None = None) -> Path | None:
    """The snapshot folder of a repository whose config and weights are cached, else None."""
    config = _first_cached(repository, _CONFIGS, revision)
    weights = _first_cached(repository, _WEIGHTS, revision)
    return config.parent if config and weights else None


def _first_cached(repository: str, names: tuple[str, ...], revision: str | None) -> Path | None:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    for name in names:
        try:
            found = try_to_load_from_cache(repository, name, revision=revision)
        except HFValidationError:
            return None
        if isinstance(found, str):
            return Path(found)
    return None


def missing_from_hub(name: str, repository: str, revision: str | None = None) -> str | None:
    """The sentence for a repository that is not cached here, or None."""
    if cached_folder(repository, revision) is not None:
        return None
    return (
        f"the weights of {name} ({repository}) are not on this machine; "
        f"bring them with --robust-download or `hf download {repository}`"
    )


def missing_tokenizer(name: str, repository: str) -> str | None:
    """The sentence for a tokenizer that is not cached here, or None."""
    if _first_cached(repository, ("tokenizer.json", "vocab.txt"), None) is not None:
        return None
    return (
        f"the tokenizer of {name} ({repository}) is not on this machine; "
        f"bring it with --robust-download or `hf download {repository}`, or pass a folder as its tokenizer"
    )


def missing_config(name: str, repository: str) -> str | None:
    """The sentence for a text tower's configuration that is not cached here, or None."""
    if _first_cached(repository, _CONFIGS, None) is not None:
        return None
    return (
        f"the text tower's configuration of {name} ({repository}) is not on this machine; "
        f"bring it with --robust-download or `hf download {repository} config.json`"
    )


def repository_folder(name: str, repository: str, request: LoadRequest, patterns: list[str] | None = None) -> Path:
    """The snapshot of a repository, fetched where it may be; `NotOnThisMachineError` where it is not to be had."""
    from huggingface_hub import snapshot_download

    try:
        offline = not request.may_download
        return Path(snapshot_download(repository, local_files_only=offline, allow_patterns=patterns))
    except Exception as error:  # a dozen kinds of having no network
        raise NotOnThisMachineError(
            f"Expected {repository} for {name} in the Hugging Face cache or on the hub, got {type(error).__name__}. "
            f"Run `hf download {repository}` where there is a network, or give a folder."
        ) from error
