"""Load a published tag, a folder, a hub repository or a file through open_clip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import open_clip
from torch import Tensor

from ....core.catalogue import unknown_name
from ....core.errors import ConfigError, NotOnThisMachineError
from ... import LoadRequest, ModelCard
from ..._files.attempt import attempt
from ..._files.checkpoint import (
    keys_in,
    licence_of,
    require_regular_members,
    revision_of,
    sha256_of,
)
from ..._files.hub import missing_text_tower, repository_folder
from ..._files.hub_cache import OPEN_CLIP_WEIGHTS, cached_folder
from ..._files.identify import looks_like
from ..._files.inputs import inputs_digest, token_ids_digest, vocabulary_of
from ..._files.tokenizer import failing_tokenizer
from ..._files.weight_checks import is_harmless, require_numbers
from ..._files.weight_sets import own_weights, wanted_set
from ..._files.weights_file import read_weights
from ..building import fill
from .architecture import Architecture
from .creating import (
    Created,
    create_trained,
    create_untrained,
    loading_error,
    published_file,
    repository_of,
)
from .encoder import OpenClipEncoder
from .settings import require_known_settings

_REPOSITORY_FILES = ["open_clip_*", "*.json", "*.txt", "README.md"]
_OPENAI_TEXT = ("text_projection", "positional_embedding", "token_embedding.weight")
"""Keys of a text tower that is not a module of its own: a checkpoint may use them."""


@dataclass(frozen=True)
class _Checkpoint:
    """Weights on this machine, and the architecture that they fit."""

    architecture: Architecture
    weights: Path = field(repr=False)
    """A file, or a folder with one."""
    folder: Path | None = field(repr=False)
    """The folder that may hold a configuration, tokenizer and card beside the weights."""
    shown_source: str


def load_tag(
    name: str, architecture: str, tag: str, request: LoadRequest
) -> OpenClipEncoder:
    """An architecture with one of open_clip's published weight tags.

    It is read by open_clip's own strict loader.
    """
    published = open_clip.pretrained.get_pretrained_cfg(architecture, tag)
    if not published:
        raise _unknown_tag(architecture, tag)
    named = Architecture(architecture)
    explain = partial(
        loading_error,
        name,
        repository=repository_of(published),
        may_download=request.may_download,
    )
    # Before the network, which may have billions of weights.
    file = attempt(lambda: published_file(published, request), explain)
    # Weights trained with QuickGELU fit an architecture without it: open_clip would
    # only warn, and compute something else.
    is_quick = bool(published.get("quick_gelu"))
    created = create_trained(name, named, request, tag, quick_gelu=is_quick)
    for key, tensor in created.model.state_dict().items():
        # Masks of attention are infinite on purpose.
        require_numbers(name, key, tensor, weight=not key.endswith("attn_mask"))
    # open_clip's reader refuses unexpected keys, but drops the harmless ones unreported.
    harmless = {key for key in keys_in([file]) if is_harmless(key)}
    dropped = harmless - set(created.model.state_dict())
    card = replace(
        _card(name, created, f"open_clip:{architecture}/{tag}", file.parent),
        sha256=sha256_of([file] if file.is_file() else []),
        activation=named.activation(is_quick=is_quick),
        dropped_keys=tuple(sorted(dropped)),
        inputs_sha256=_inputs(named, None, created.tokenizer, request),
    )
    return OpenClipEncoder(name, created, request, card)


def _unknown_tag(architecture: str, tag: str) -> ConfigError:
    tags = open_clip.list_pretrained_tags_by_model(architecture)
    got = f"open_clip:{architecture}/{tag}"
    if architecture not in open_clip.list_models():
        return ConfigError(
            f"Expected an open_clip architecture with a published tag, got {got}, which"
            f" open_clip {open_clip.__version__} does not know. Fix the name, or run"
            " `pip install --upgrade open_clip_torch timm` if it is a newer one."
        )
    return ConfigError(
        f"Expected an open_clip architecture with a published tag, got {got}. Tags of"
        f" {architecture}: {', '.join(tags) or 'none'}."
    )


def load_folder(
    name: str, folder: Path, request: LoadRequest, *, shown_source: str
) -> OpenClipEncoder:
    """A folder with `open_clip_config.json` and weights, as `push_to_hub` writes it."""
    stored = _Checkpoint(
        Architecture(folder=folder), _weights_of(folder), folder, shown_source
    )
    return _load(name, stored, request)


def _weights_of(folder: Path) -> Path:
    """open_clip's own file in a folder that may hold another library's beside it."""
    for name in OPEN_CLIP_WEIGHTS:
        if (folder / name).is_file():
            return folder / name
    return folder


def load_repository(
    name: str, repository: str, request: LoadRequest, revision: str | None = None
) -> OpenClipEncoder:
    """A hub repository in open_clip's layout at a revision, fetched if that is allowed."""
    folder = cached_folder(repository, revision)
    if folder is None:
        folder = repository_folder(
            name, repository, request, _REPOSITORY_FILES, revision
        )
    source = f"hf:{repository}"
    if revision is not None:
        source = f"hf:{repository}@{revision}"
    return load_folder(name, folder, request, shown_source=source)


def load_file(
    name: str, architecture: str, checkpoint: Path, request: LoadRequest, *, source: str
) -> OpenClipEncoder:
    """The user's checkpoint for an architecture of `open_clip.list_models()`.

    It may be a file or a folder with one, as open_clip's training writes it
    (`state_dict`), with a prefix before every key. The architecture decides the
    activation: weights that began as OpenAI's need a `-quickgelu` one, and fit the
    other without a warning, so that the card says which it was.
    """
    models = open_clip.list_models()
    if architecture not in models:
        raise unknown_name("open_clip architecture", architecture, models)
    folder = checkpoint if checkpoint.is_dir() else None
    stored = _Checkpoint(Architecture(architecture), checkpoint, folder, source)
    return _load(name, stored, request)


def _load(name: str, checkpoint: _Checkpoint, request: LoadRequest) -> OpenClipEncoder:
    architecture = checkpoint.architecture
    if checkpoint.folder is not None:
        _check_folder(name, checkpoint.folder, request)
    # Filled below: open_clip itself would only warn of a folder without weights, and
    # leave them random.
    wanted = wanted_set(name, request)
    created = create_untrained(name, architecture, request)
    with read_weights(name, checkpoint.weights) as stored:
        architecture.require_trained_as(name, stored.content)
        tensors, prefix = _as_the_model_names_them(
            name, created.model, stored.content, wanted
        )
        fit = fill(name, created.model, tensors, stored, looks_like(tensors))
        sha256 = stored.sha256
    card = replace(
        _card(name, created, checkpoint.shown_source, checkpoint.folder),
        sha256=sha256,
        activation=architecture.activation(),
        weights=wanted,
        key_prefix=prefix or None,
        missing_keys=fit.missing,
        unexpected_keys=fit.unexpected,
        dropped_keys=fit.dropped,
        inputs_sha256=_inputs(
            architecture, checkpoint.folder, created.tokenizer, request
        ),
    )
    return OpenClipEncoder(name, created, request, card)


def _check_folder(name: str, folder: Path, request: LoadRequest) -> None:
    """Raise for files that never end, for settings that open_clip does not know, and for
    a text tower that is not on this machine.
    """
    require_regular_members(name, folder)
    require_known_settings(name, folder)
    if request.may_download:
        return
    reason = missing_text_tower(name, folder)
    if reason is not None:
        raise NotOnThisMachineError.because(reason)


def _as_the_model_names_them(
    name: str, model: Any, content: Mapping[str, Any], wanted: str | None
) -> tuple[dict[str, Tensor], str]:
    """The tensors under the model's own keys, and the prefix of training code.

    `wanted` is the set that the user chose, of several in one file.
    """
    # open_clip's models have a text tower flat or as a module, and files exist of both.
    has_own_text = not hasattr(model, "positional_embedding")
    own = set(model.state_dict())
    if has_own_text:
        own.update(_OPENAI_TEXT)
    tensors, prefix = own_weights(name, content, own, wanted)
    if has_own_text and "positional_embedding" in tensors:
        tensors = open_clip.model.convert_to_custom_text_state_dict(tensors)
    scale = tensors.get("logit_scale")
    # One number, which is saved in two shapes.
    if scale is not None and scale.numel() == 1:
        tensors = {**tensors, "logit_scale": scale.reshape(model.logit_scale.shape)}
    return tensors, prefix


def _card(name: str, created: Created, source: str, folder: Path | None) -> ModelCard:
    """The card without what only one way of loading knows."""
    model = created.model
    tokenizer = created.tokenizer

    def token_ids() -> str:
        return token_ids_digest(lambda texts: tokenizer(list(texts)).tolist())

    return ModelCard(
        source=source,
        revision=None if folder is None else revision_of(folder),
        licence=None if folder is None else licence_of(folder),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        context_length=int(tokenizer.context_length),
        token_ids_sha256=attempt(token_ids, partial(failing_tokenizer, name)),
    )


def _inputs(
    architecture: Architecture,
    folder: Path | None,
    tokenizer: Any,
    request: LoadRequest,
) -> str:
    """The digest of the configuration, the tokenizer and the user's overrides."""
    folders = [] if folder is None else [folder]
    settings = [architecture.config(), dict(request.options)]
    return inputs_digest(folders, settings, _vocabulary(tokenizer))


def _vocabulary(tokenizer: Any) -> bytes:
    inner = getattr(tokenizer, "tokenizer", None)
    if inner is not None:
        return vocabulary_of(inner)
    merges = getattr(tokenizer, "bpe_ranks", None)
    return b"" if merges is None else repr(list(merges.items())).encode()
