"""Models that no occlusion of a fixed square fits, told from their configuration alone."""

from __future__ import annotations

import re
from typing import Any

from ....core.errors import ModelError

ELSEWHERE = (
    'If it embeds images and texts, serve it with loader = "command", or pass'
    " encoder_from_callables."
)
"""What to do with a model that this package cannot run itself."""
_FRAMES = ("num_frames", "frames_per_clip", "tubelet_size")
"""Settings of networks that read several pictures at once."""
_WRITES_TEXT = re.compile(r"For(CausalLM|ConditionalGeneration|ImageTextToText)$")


def require_fixed_square(name: str, config: Any) -> None:
    """`ModelError` for a model whose input is no image of one fixed size."""
    model_type = str(getattr(config, "model_type", ""))
    if model_type == "siglip2":
        raise ModelError(
            f"Expected a model with a fixed square input for {name}, got"
            " model_type='siglip2' (NaFlex), whose resolution varies with the image."
            " Use a SigLIP 2 of fixed size, such as siglip2-base-patch16-224."
        )
    if model_type.startswith("blip-2"):
        raise ModelError(
            f"Expected a dual encoder for {name}, got model_type={model_type!r}, which"
            f" embeds texts through a language model. Pass a CLIP-like checkpoint."
            f" {ELSEWHERE}"
        )
    for part in (config, getattr(config, "vision_config", None)):
        setting = _several_pictures(part)
        if setting is not None:
            raise ModelError(
                f"Expected a model of single images for {name}, got one of videos or"
                f" volumes ({setting}), and levels are shares of one square. Measure it"
                ' slice by slice: encoder_from_callables or loader = "command" gives'
                " it the slice in the form that it needs."
            )


def _several_pictures(config: Any) -> str | None:
    """The setting by which a network reads several pictures at once; None if it does not."""
    for setting in _FRAMES:
        value = getattr(config, setting, None)
        if isinstance(value, int) and value > 1:
            return f"{setting}={value}"
        if isinstance(value, list | tuple):
            return f"{setting}={list(value)}"
    size = getattr(config, "image_size", None)
    if isinstance(size, list | tuple) and len(size) > 2:
        return f"image_size={list(size)}"
    return None


def writes_text(network: str) -> bool:
    """Whether a network of this class answers in words, and embeds no text as one row."""
    return _WRITES_TEXT.search(network) is not None
