"""The network of a transformers checkpoint with every one of its weights, or an error."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoModel

from ....core.errors import ModelError
from ..._files.hub import how_to_download
from ..._files.prefixes import prefix_of, unwrapped
from ..._files.weight_checks import is_temperature, require_no_missing, require_numbers
from ..._files.weight_sets import own_weights, wanted_set
from ..._files.weights_file import read_weights
from ..encoders import torch_dtype
from ..quiet import without_bars
from ..transformers_versions import mismatched
from .source import Source
from .stored import StoredKeys, is_filled_twice, stored_keys
from .task import require_same_task


@dataclass(frozen=True)
class WholeModel:
    """A network with every weight of its checkpoint, and what of the keys did not fit."""

    model: Any
    prefix: str
    missing_keys: tuple[str, ...]
    unexpected_keys: tuple[str, ...]

    @property
    def text_config(self) -> Any:
        config = self.model.config
        return getattr(config, "text_config", config)


@dataclass(frozen=True)
class _Loaded:
    """What `from_pretrained` reports of a load."""

    model: Any
    missing_keys: Iterable[str]
    unexpected_keys: Iterable[str]
    mismatched_keys: Iterable[tuple[str, Any, Any]]
    """(key, shape in the checkpoint or None if unknown, shape in the network)."""


def whole_model(source: Source) -> WholeModel:
    """Load the network with every weight.

    Raises `ModelError` for missing keys, other shapes and values that are no numbers.
    """
    wanted = wanted_set(source.name, source.request)
    if wanted is not None:
        loaded, prefix = _named_set(source, wanted)
    else:
        loaded, prefix = _load_all(source)
    _require_shapes(source.name, loaded)
    require_same_task(source.name, loaded.model.config, loaded.missing_keys)
    require_no_missing(source.name, sorted(loaded.missing_keys))
    _require_numbers(source.name, loaded.model)
    return WholeModel(
        loaded.model,
        prefix,
        missing_keys=tuple(loaded.missing_keys),
        unexpected_keys=tuple(loaded.unexpected_keys),
    )


def _load_all(source: Source) -> tuple[_Loaded, str]:
    """The network with all weights of its files, and the prefix that was removed."""
    loaded = source.read("weights", lambda: _load(source, {}))
    stored = stored_keys(source)
    if stored is None:
        return loaded, ""
    own = set(loaded.model.state_dict())
    unexpected = set(loaded.unexpected_keys)
    # Of all keys, also those that fitted: a copy of them under a prefix is not meant.
    prefix = prefix_of(source.name, map(unwrapped, stored.keys), own)
    is_whole = all(map(is_temperature, loaded.missing_keys))
    is_twice = is_filled_twice(stored, own, unexpected)
    if is_whole and not is_twice:
        return loaded, prefix
    if is_twice and stored.file is None:
        raise _two_sets_in_shards(source.name)
    is_renamed = any(unwrapped(key) != key for key in unexpected)
    if is_twice or prefix or is_renamed or stored.is_nested:
        # The first network must not be in memory beside the second.
        del loaded
        return _load_again(source, stored, prefix)
    return loaded, prefix


def _load_again(source: Source, stored: StoredKeys, prefix: str) -> tuple[_Loaded, str]:
    """Load weights that training code named otherwise, under the network's own names."""
    if stored.file is not None:
        return _load_set(source, stored.file, None)
    mapping = _key_mapping(stored.keys, prefix)
    return source.read("weights", lambda: _load(source, mapping)), prefix


def _two_sets_in_shards(name: str) -> ModelError:
    return ModelError(
        f"Expected one tensor for each weight of {name}, got shards with two for some:"
        " one under the weight's own name and one under a prefix that transformers"
        " takes off. Save the set that you mean alone (model.save_pretrained(FOLDER))."
    )


def _named_set(source: Source, wanted: str) -> tuple[_Loaded, str]:
    """The network with the set of weights that the user names, and what stood before it."""
    folder = source.folder
    if folder is None:
        raise ModelError(
            f"Expected the files of {source.name} on this machine for"
            f" weights={wanted!r}, got none in the Hugging Face cache."
            f" {how_to_download(source.location)} first."
        )
    return _load_set(source, folder, wanted)


def _load_set(source: Source, path: Path, wanted: str | None) -> tuple[_Loaded, str]:
    """The network with one set of the weights of a file, and what stood before its keys.

    `wanted` names the set; None stands for the weights that training wrote.
    """
    model = source.read("weights", lambda: _unfilled(source))
    own = model.state_dict()
    with read_weights(source.name, path) as stored:
        tensors, prefix = own_weights(source.name, stored.content, own, wanted)
        copies = {key: stored.take(tensor) for key, tensor in tensors.items()}
    mismatched = [
        (key, copies[key].shape, own[key].shape)
        for key in own.keys() & copies.keys()
        if copies[key].shape != own[key].shape
    ]
    # torch refuses other shapes in words of its own: `_require_shapes` names them.
    others = {key for key, _, _ in mismatched}
    fitting = {key: copies[key] for key in copies if key not in others}
    report = model.load_state_dict(fitting, strict=False)
    model = model.eval().to(torch_dtype(source.request.precision))
    missing = report.missing_keys
    return _Loaded(model, missing, report.unexpected_keys, mismatched), prefix


def _unfilled(source: Source) -> Any:
    """The network with random weights."""
    config = AutoConfig.from_pretrained(source.location, **source.options)
    return AutoModel.from_config(
        config,
        # Not that of config.json, which would round the weights to it.
        dtype=torch_dtype(source.request.precision),
        trust_remote_code=source.trust_remote_code,
    )


def _key_mapping(keys: Sequence[str], prefix: str) -> dict[str, str]:
    """Patterns that turn the keys of a checkpoint into the network's own.

    One for each beginning that is removed.
    """
    mapping: dict[str, str] = {}
    for key in keys:
        own = unwrapped(key).removeprefix(prefix)
        if key == own:
            continue
        if key.endswith(own):
            beginning = re.escape(key.removesuffix(own))
            first_part = re.escape(own.partition(".")[0])
            mapping[rf"^{beginning}(?={first_part}\b)"] = ""
        else:
            # A part inside of the network was wrapped.
            mapping[f"^{re.escape(key)}$"] = own
    return mapping


def _load(source: Source, key_mapping: dict[str, str]) -> _Loaded:
    """The network as the library loads it, with patterns that rename keys."""
    options = dict(source.options)
    if key_mapping:
        options["key_mapping"] = key_mapping
    # Weights on this machine are there at once, and each error of a test would show the
    # bar. A download keeps its own.
    is_here = Path(source.location).is_dir()
    with without_bars() if is_here else nullcontext():
        model, info = AutoModel.from_pretrained(
            source.location,
            dtype=torch_dtype(source.request.precision),
            output_loading_info=True,
            # `_require_shapes` refuses them, by name.
            ignore_mismatched_sizes=True,
            **options,
        )
    return _Loaded(
        model,
        missing_keys=info["missing_keys"],
        unexpected_keys=info["unexpected_keys"],
        mismatched_keys=mismatched(info["mismatched_keys"], model),
    )


def _require_shapes(name: str, loaded: _Loaded) -> None:
    for key, stored_shape, own_shape in sorted(loaded.mismatched_keys, key=str):
        stored = "another" if stored_shape is None else f"shape={tuple(stored_shape)}"
        raise ModelError(
            f"Expected {key} of shape {tuple(own_shape)} for {name}, got {stored}. Its"
            " config.json and its weights do not belong together: copy both from one"
            " checkpoint."
        )


def _require_numbers(name: str, model: Any) -> None:
    for key, weight in model.named_parameters():
        require_numbers(name, key, weight, weight=True)
    for key, buffer in model.named_buffers():
        require_numbers(name, key, buffer, weight=False)
