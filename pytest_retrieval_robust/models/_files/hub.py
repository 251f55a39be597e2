"""What the Hugging Face cache of this machine holds.

Looks at files only, and imports no model library.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ...errors import ModelError, NotOnThisMachineError, RobustError
from ...files import is_regular
from ...foreign import FOREIGN, described
from .. import LoadRequest
from .attempt import attempt, missing_package, shown_path
from .checkpoint import require_regular_members

_TRANSFORMERS_WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
_WEIGHTS = (
    *_TRANSFORMERS_WEIGHTS,
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.bin",
)
_OPEN_CLIP_CONFIG = "open_clip_config.json"
_CONFIGS = ("config.json", _OPEN_CLIP_CONFIG)
VOCABULARIES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "spiece.model",
    "sentencepiece.bpe.model",
)
"""Where a tokenizer's words are: without either, transformers makes up one that reads
every text as unknown.
"""


def cached_folder(repository: str, revision: str | None = None) -> Path | None:
    """The snapshot folder of a repository whose config and weights are cached, else None."""
    config = _first_cached(repository, _CONFIGS, revision)
    weights = _first_cached(repository, _WEIGHTS, revision)
    return config.parent if config and weights else None


def _first_cached(
    repository: str, names: tuple[str, ...], revision: str | None
) -> Path | None:
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


def in_open_clip_layout(folder: Path) -> bool:
    """Whether a snapshot is open_clip's; where it holds both layouts, transformers' is taken."""
    ours = (folder / "config.json").is_file() and any(
        (folder / name).is_file() for name in _TRANSFORMERS_WEIGHTS
    )
    return (folder / _OPEN_CLIP_CONFIG).is_file() and not ours


def is_open_clip_repository(
    repository: str, revision: str | None, request: LoadRequest
) -> bool:
    """The layout of a cached repository, else of what the hub lists where it may be asked."""
    folder = cached_folder(repository, revision)
    if folder is not None:
        return in_open_clip_layout(folder)
    if not request.may_download:
        return False
    from huggingface_hub import list_repo_files

    try:
        files = set(list_repo_files(repository, revision=revision))
    except FOREIGN:  # a dozen kinds of having no network: the loader will say which
        return False
    ours = "config.json" in files and not files.isdisjoint(_TRANSFORMERS_WEIGHTS)
    return _OPEN_CLIP_CONFIG in files and not ours


def missing_from_hub(
    name: str, repository: str, revision: str | None = None, *, terms: bool = False
) -> str | None:
    """The sentence for a repository that is not cached here, or None; `terms` must be
    accepted on its page first.

    Where open_clip's configuration names repositories of its text tower, they are looked for too.
    """
    folder = cached_folder(repository, revision)
    if folder is None:
        first = f"{ACCEPT_TERMS}, then " if terms else ""
        asked = (
            repository if revision is None else f"{repository} --revision {revision}"
        )
        return (
            f"the weights of {name} ({repository}) are not on this machine; "
            f"{first}bring them with --robust-download or `hf download {asked}`"
        )
    return missing_text_tower(name, folder) if in_open_clip_layout(folder) else None


ACCEPT_TERMS = "accept its terms on its page of the hub and log in (`hf auth login`)"


def missing_text_tower(name: str, folder: Path) -> str | None:
    """The sentence for what an open_clip configuration takes from transformers'
    repositories, or None.
    """
    text = open_clip_text(folder)
    tower, words = text.get("hf_model_name"), text.get("hf_tokenizer_name")
    lacking = []  # a folder's own tokenizer is taken before the one that its configuration names
    if (
        tower
        and not Path(tower).is_dir()
        and _first_cached(tower, ("config.json",), None) is None
    ):
        lacking.append(f"{tower} (config.json)")
    if (
        words
        and not has_vocabulary(folder)
        and not has_vocabulary(Path(words))
        and _first_cached(words, VOCABULARIES, None) is None
    ):
        lacking.append(f"{words} (tokenizer)")
    if not lacking:
        return None
    downloads = " and ".join(
        f"`hf download {one}`"
        for one in dict.fromkeys(one.split()[0] for one in lacking)
    )
    return (
        f"what the text tower of {name} needs is not on this machine:"
        f" {', '.join(lacking)}; bring it with --robust-download or {downloads}"
    )


def open_clip_text(folder: Path) -> dict[str, Any]:
    """`text_cfg` of a folder's `open_clip_config.json`; empty where it cannot be read,
    which the loader will say.
    """
    file = folder / _OPEN_CLIP_CONFIG
    if not is_regular(file):
        return {}
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
        return dict(config["model_cfg"]["text_cfg"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return {}


def has_vocabulary(folder: Path) -> bool:
    return any((folder / name).is_file() for name in VOCABULARIES)


def missing_tokenizer(name: str, repository: str) -> str | None:
    """The sentence for a tokenizer that is not cached here, or None."""
    if _first_cached(repository, VOCABULARIES, None) is not None:
        return None
    return (
        f"the tokenizer of {name} ({repository}) is not on this machine; bring it with"
        f" --robust-download or `hf download {repository}`, or pass a folder as its"
        " tokenizer"
    )


def repository_folder(
    name: str,
    repository: str,
    request: LoadRequest,
    patterns: list[str] | None = None,
    revision: str | None = None,
) -> Path:
    """The snapshot of a repository, fetched where it may be; `NotOnThisMachineError`
    where it is not to be had.
    """
    from huggingface_hub import snapshot_download

    def fetch() -> Path:
        offline = not request.may_download
        return Path(
            snapshot_download(
                repository,
                revision=revision,
                local_files_only=offline,
                allow_patterns=patterns,
            )
        )

    def explain(
        error: BaseException,
    ) -> RobustError:  # a dozen kinds of having no network
        return NotOnThisMachineError(
            f"Expected {repository} for {name} in the Hugging Face cache or on the hub,"
            f" got {described(error)}. {how_to_bring(repository, error)}, or give a"
            " folder."
        )

    return attempt(fetch, explain)


def how_to_bring(repository: str, error: BaseException | None = None) -> str:
    """What to do about a repository that is not here; a gated one's terms come first."""
    gated = error is not None and (
        "gated repo" in str(error) or type(error).__name__ == "GatedRepoError"
    )
    first = f"{ACCEPT_TERMS.capitalize()}, then run" if gated else "Run"
    return f"{first} `hf download {repository}` where there is a network"


def check_tokenizer(name: str, source: str) -> None:
    """Raise for a path that is no folder, and for a folder whose files a library would
    read without end.
    """
    path = Path(source)
    if path.is_dir():
        require_regular_members(name, path)
    elif path.is_absolute() or path.exists():
        raise no_tokenizer(name, source, "no such folder")


def unreadable_tokenizer(name: str, source: str, error: BaseException) -> RobustError:
    """The error of a tokenizer that a library could not make of its files."""
    package = missing_package(error)
    if package is not None:
        return needs_package(name, "tokenizer", package)
    return no_tokenizer(name, source, described(error))


def failing_tokenizer(name: str, error: BaseException) -> ModelError:
    """The error of a tokenizer that was made, and that fails when it is given a text."""
    return ModelError(
        f"Expected a tokenizer of {name} that cuts and pads texts, got one that fails:"
        f" {described(error)}. Copy tokenizer_config.json, which names its padding"
        " token, beside its vocabulary, or pass tokenizer=FOLDER."
    )


def needs_package(name: str, part: str, package: str) -> ModelError:
    return ModelError(
        f"Expected the package {package}, which the {part} of {name} needs, got an"
        f" environment without it. Run `pip install {package}`."
    )


def no_tokenizer(name: str, source: str, why: str) -> NotOnThisMachineError:
    is_path = Path(source).is_absolute() or Path(source).exists()
    how = (
        "Fix the path"
        if is_path
        else f"Run `hf download {source}` where there is a network"
    )
    return NotOnThisMachineError(
        f"Expected the tokenizer of {name}, got tokenizer={shown_path(source)!r} that"
        f" cannot be opened: {why}. {how}, or pass tokenizer=FOLDER with its"
        " vocabulary."
    )
