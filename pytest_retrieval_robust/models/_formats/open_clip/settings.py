"""Settings of an open_clip configuration that the installed open_clip does not know."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from open_clip.model import CLIPTextCfg, CLIPVisionCfg

from ....core.errors import ModelError
from ..._files.hub import open_clip_tower
from ..._files.layers import require_few_layers

_TOWERS = {"vision_cfg": CLIPVisionCfg, "text_cfg": CLIPTextCfg}
_REMEDIES = {
    "pretrain_path": (
        "It is DermLIP's with PanDerm's image tower: load it as dermlip-panderm, or name"
        ' the folder as checkpoint with loader = "dermlip-panderm"'
    ),
    "proj": "Rename it hf_proj_type, or download the repository again",
    "pooler_type": "Rename it hf_pooler_type, or download the repository again",
}
"""Settings that a fork has, and those of an older open_clip."""
_OTHERWISE = "Install the open_clip that wrote it, or register a loader of your own"
_MOST_SHOWN = 40


def require_known_settings(name: str, folder: Path) -> None:
    """`ModelError` for a setting of a tower that this open_clip does not know.

    It would only say `TypeError`. So for one by which the folder asks for its own code
    to be run.
    """
    _require_no_code(name, folder)
    for tower, known in _TOWERS.items():
        names = {field.name for field in fields(known)}
        settings = open_clip_tower(folder, tower)
        require_few_layers(name, settings)
        unknown = [key for key in settings if key not in names]
        if unknown:
            setting = unknown[0]
            remedy = _REMEDIES.get(setting, _OTHERWISE)
            raise ModelError(
                f"Expected settings of {name} that open_clip knows, got"
                f" {tower}.{setting[:_MOST_SHOWN]}. {remedy}."
            )


def _require_no_code(name: str, folder: Path) -> None:
    # open_clip hands these to transformers' tokenizer as they are.
    arguments = open_clip_tower(folder, "text_cfg").get("tokenizer_kwargs")
    if not isinstance(arguments, dict) or not arguments.get("trust_remote_code"):
        return
    raise ModelError(
        f"Expected a tokenizer of {name} that needs no code of its own, got"
        " text_cfg.tokenizer_kwargs with trust_remote_code; it was not run. Save a"
        " tokenizer of a class of transformers beside the weights, and remove the"
        " setting from open_clip_config.json."
    )
