"""What a folder of transformers was trained for, from its configuration alone."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from transformers import MODEL_MAPPING

from ....core.errors import ModelError
from ..._files.weight_checks import is_temperature

_METHODS = ("get_image_features", "get_text_features")
_TASK = re.compile(
    r"For\w*(Classification|QuestionAnswering|MaskedLM|CausalLM|Generation|Captioning"
    r"|Segmentation|Detection|MultipleChoice|DepthEstimation)$"
)
"""Ends of class names of networks that answer in another way than by embeddings."""


def require_dual_encoder(name: str, config: Any) -> None:
    """`ModelError` for a network of one tower, before its weights are read."""
    kind = type(config)
    # Code of a repository's own is in no mapping: what it does is seen when it runs.
    if kind not in MODEL_MAPPING:
        return
    network = MODEL_MAPPING[kind]
    networks = network if isinstance(network, list | tuple) else (network,)
    if any(all(hasattr(one, method) for method in _METHODS) for one in networks):
        return
    raise ModelError(
        f"Expected a dual encoder for {name}, got a folder of"
        f" {_saved_class(config) or networks[0].__name__}, which does not embed both"
        " images and texts. Give the folder of the whole image-text model; two towers"
        " that lie apart make a model by encoder_from_callables."
    )


def require_same_task(name: str, config: Any, missing: Iterable[str]) -> None:
    """`ModelError` for a network of two towers that was saved for another task.

    Its head is there, and a part of the towers is not.
    """
    saved = _saved_class(config)
    if saved is None or all(is_temperature(key) for key in missing):
        return
    if _TASK.search(saved):
        raise ModelError(
            f"Expected a dual encoder for {name}, got a folder of {saved}, which was"
            " trained for another task and lacks weights of a tower. Give the folder of"
            " the image-text model."
        )


def _saved_class(config: Any) -> str | None:
    """The class that saved the folder, by the configuration's own word."""
    names = getattr(config, "architectures", None) or [None]
    name = names[0]
    return name if isinstance(name, str) and name.isidentifier() else None
