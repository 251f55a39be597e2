"""Load a folder or a hub repository in the layout of `save_pretrained`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AutoConfig

from ... import LoadRequest, ModelCard
from ..._files.checkpoint import (
    keys_in,
    licence_of,
    require_regular_members,
    revision_of,
    sha256_of,
    weight_files,
)
from ..._files.hub_cache import cached_folder
from ..._files.inputs import inputs_digest
from ..._files.layers import require_few_layers
from ..._files.tokenizer import require_fit
from ..._files.weight_checks import is_harmless, is_temperature
from ..._files.weight_sets import wanted_set
from ..preprocessing import checked_overrides
from .encoder import TransformersEncoder
from .processor import load_picture, require_places
from .source import PROCESSORS, Source
from .task import require_dual_encoder
from .text import load_tokenizer
from .unfit import require_fixed_square
from .weights import WholeModel, whole_model


def load_pretrained(
    name: str,
    source: str,
    request: LoadRequest,
    *,
    revision: str | None = None,
    shown_source: str | None = None,
    trust_remote_code: bool = False,
) -> TransformersEncoder:
    """Load a folder or a hub repository in the layout of `save_pretrained`.

    `preprocessing` of the request's options overrides what its image processor declares
    (`preprocessing.OVERRIDES`), and replaces it if the checkpoint has none. The
    request's tokenizer replaces the checkpoint's own. `trust_remote_code` runs Python
    code of the repository.

    Raises `NotOnThisMachineError` if it is not on this machine and may not be fetched,
    `ModelError` if it cannot be loaded whole: missing keys, truncated weights, no dual
    encoder, no fixed square input.
    """
    checkpoint = Source(name, source, revision, request, trust_remote_code)
    if Path(source).is_dir():
        require_regular_members(name, Path(source))
    config = checkpoint.read(
        "configuration",
        lambda: AutoConfig.from_pretrained(source, **checkpoint.options),
    )
    # Before the weights, which may be gigabytes.
    require_places(checkpoint)
    require_fixed_square(name, config)
    checkpoint.read("configuration", lambda: require_few_layers(name, config.to_dict()))
    checkpoint.read("configuration", lambda: require_dual_encoder(name, config))
    whole = whole_model(checkpoint)
    overrides = checked_overrides(name, request.options.get("preprocessing", {}))
    picture = load_picture(checkpoint, overrides)
    tokenizer = load_tokenizer(checkpoint)
    # Ids beyond the table would fail only at the first report that has them.
    rows = getattr(whole.text_config, "vocab_size", None)
    require_fit(name, len(tokenizer), rows, request.tokenizer or "its own")
    card = _card(checkpoint, shown_source or source, whole)
    return TransformersEncoder(name, whole.model, picture, tokenizer, request, card)


def _settings(checkpoint: Source) -> dict[str, Any]:
    """The options, with the content of an image processor in place of its path."""
    settings = dict(checkpoint.request.options)
    elsewhere = checkpoint.processor_elsewhere
    folder = None if elsewhere is None else elsewhere.folder
    if folder is not None:
        files = [folder / name for name in PROCESSORS if (folder / name).is_file()]
        settings["image_processor"] = sha256_of(files)
    return settings


def _card(checkpoint: Source, shown_source: str, whole: WholeModel) -> ModelCard:
    commit = getattr(whole.model.config, "_commit_hash", None)
    path = Path(checkpoint.location)
    folder = path if path.exists() else cached_folder(checkpoint.location, commit)
    folders = [] if folder is None else [folder]
    files = [] if folder is None else weight_files(folder)
    # All others were refused.
    missing = [key for key in whole.missing_keys if is_temperature(key)]
    unexpected = [key for key in whole.unexpected_keys if not is_harmless(key)]
    # transformers drops some harmless keys and does not say so: the file's own list does.
    harmless = {key for key in keys_in(files) if is_harmless(key)}
    dropped = harmless - set(whole.model.state_dict())
    return ModelCard(
        source=shown_source,
        revision=commit or (None if folder is None else revision_of(folder)),
        sha256=sha256_of(files),
        licence=None if folder is None else licence_of(folder),
        parameters=sum(parameter.numel() for parameter in whole.model.parameters()),
        context_length=whole.text_config.max_position_embeddings,
        inputs_sha256=inputs_digest(folders, _settings(checkpoint)),
        weights=wanted_set(checkpoint.name, checkpoint.request),
        key_prefix=whole.prefix or None,
        missing_keys=tuple(sorted(missing)),
        unexpected_keys=tuple(sorted(unexpected)),
        dropped_keys=tuple(sorted(dropped)),
    )
