"""Networks and tokenizers of open_clip 3, and the same from open_clip 2.

What is here for open_clip 2 can go with it: it knows no folder by `local-dir:`, and
calls three arguments by other names.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

import open_clip
from open_clip.tokenizer import DEFAULT_CONTEXT_LENGTH, HFTokenizer, SimpleTokenizer
from open_clip.transform import PreprocessCfg, image_transform_v2

from ....core.errors import ModelError
from ..transformers_versions import as_its_file_says
from .architecture import Architecture

Network: TypeAlias = tuple[Any, Any]
"""The network and its transform for evaluation."""
_IS_2 = not hasattr(open_clip.factory, "LOCAL_DIR_PREFIX")
_NAME_OF_A_FOLDER = "pytest-retrieval-robust-folder"
"""What a folder's configuration is called while open_clip 2 makes its network."""
_UNTRAINED_2 = {"pretrained_hf": False, "load_weights_only": True}
_UNTRAINED_3 = {"load_weights": False, "pretrained_text": False, "weights_only": True}
# On the CPU in float32: the encoder moves and casts it, filled.
_PLAIN: Mapping[str, Any] = {"device": "cpu", "precision": "fp32"}


def trained(
    architecture: Architecture, tag: str, *, quick_gelu: bool, overrides: dict[str, Any]
) -> Network:
    """An architecture with one of open_clip's published weight tags."""
    weights_only = "load_weights_only" if _IS_2 else "weights_only"
    model, _, preprocess = open_clip.create_model_and_transforms(
        architecture.schema,
        pretrained=tag,
        force_quick_gelu=quick_gelu,
        **_PLAIN,
        **{weights_only: True},
        **overrides,
    )
    return model, preprocess


def untrained(architecture: Architecture, overrides: dict[str, Any]) -> Network:
    """An architecture with random weights; `overrides` are arguments of open_clip."""
    if _IS_2 and architecture.folder is not None:
        return _untrained_folder(architecture, overrides)
    options = _UNTRAINED_2 if _IS_2 else _UNTRAINED_3
    model, _, preprocess = open_clip.create_model_and_transforms(
        architecture.schema, **_PLAIN, **options, **overrides
    )
    return model, preprocess


def own_tokenizer(architecture: Architecture) -> Any:
    """The folder's own tokenizer, or the one that open_clip has for an architecture."""
    folder = architecture.folder
    if not _IS_2 or folder is None:
        tokenizer = open_clip.get_tokenizer(architecture.schema)
        if isinstance(tokenizer, HFTokenizer):
            as_its_file_says(tokenizer.tokenizer)
        return tokenizer
    text = architecture.text_config()
    if text.get("hf_tokenizer_name"):
        return hugging_face_tokenizer(str(folder), text)
    return SimpleTokenizer(**_tokenizer_arguments(text))


def hugging_face_tokenizer(source: str, text: Mapping[str, Any]) -> HFTokenizer:
    """The tokenizer of a folder or repository, as a text configuration asks for it.

    Raises:
        ModelError: It asks for a mode, which open_clip 2 would not know.
    """
    mode = text.get("tokenizer_mode")
    arguments = _tokenizer_arguments(text)
    if not _IS_2:
        tokenizer = HFTokenizer(source, tokenizer_mode=mode, **arguments)
        as_its_file_says(tokenizer.tokenizer)
        return tokenizer
    if mode:
        raise ModelError(
            f"Expected open_clip_torch 3.0 or newer for tokenizer_mode={mode!r}, got"
            f" {open_clip.__version__}, which would encode other tokens. Upgrade it."
        )
    tokenizer = HFTokenizer(source, **arguments)
    as_its_file_says(tokenizer.tokenizer)
    return tokenizer


def _tokenizer_arguments(text: Mapping[str, Any]) -> dict[str, Any]:
    length = text.get("context_length", DEFAULT_CONTEXT_LENGTH)
    return {"context_length": length, **text.get("tokenizer_kwargs", {})}


def _untrained_folder(architecture: Architecture, overrides: dict[str, Any]) -> Network:
    """What `local-dir:` makes since open_clip 3, from the folder's configuration."""
    assert architecture.folder is not None
    file = architecture.folder / "open_clip_config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    size = overrides.get("force_image_size")
    picture = dict(config.get("preprocess_cfg", {}))
    for key, value in overrides.items():
        if key.startswith("image_"):
            picture[key.removeprefix("image_")] = value
    with _registered(config["model_cfg"]):
        model = open_clip.create_model(
            _NAME_OF_A_FOLDER,
            force_image_size=size,
            force_preprocess_cfg=picture,
            **_PLAIN,
            **_UNTRAINED_2,
        )
    settings = PreprocessCfg(**model.visual.preprocess_cfg)
    return model, image_transform_v2(settings, is_train=False)


@contextmanager
def _registered(config: dict[str, Any]) -> Iterator[None]:
    """A configuration as one of open_clip's own, for as long as its network is made."""
    registry = open_clip.factory._MODEL_CONFIGS
    registry[_NAME_OF_A_FOLDER] = config
    try:
        yield
    finally:
        del registry[_NAME_OF_A_FOLDER]
