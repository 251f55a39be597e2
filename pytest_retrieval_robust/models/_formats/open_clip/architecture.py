"""An open_clip architecture, and its twin with the other activation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import open_clip

from ....core.errors import ModelError
from ..._files.hub import open_clip_text

_QUICK = "-quickgelu"


@dataclass(frozen=True)
class Architecture:
    """A name of `open_clip.list_models()`, or a folder with `open_clip_config.json`."""

    name: str | None = None
    folder: Path | None = field(default=None, repr=False)

    @property
    def schema(self) -> str:
        """What open_clip calls it."""
        return self.name or f"local-dir:{self.folder}"

    def config(self) -> dict[str, Any] | None:
        """open_clip's configuration of a named architecture."""
        config: dict[str, Any] | None = None
        if self.name is not None:
            config = open_clip.get_model_config(self.name)
        return config

    def text_config(self) -> dict[str, Any]:
        if self.folder is not None:
            return open_clip_text(self.folder)
        return dict((self.config() or {}).get("text_cfg", {}))

    def activation(self, *, is_quick: bool = False) -> str | None:
        """`gelu` or `quickgelu` for an architecture that exists with both, else None.

        `is_quick` says that the weights decided for `quickgelu`.
        """
        # A folder's configuration says which activation it is.
        if self.name is None:
            return None
        if is_quick or self.name.endswith(_QUICK):
            return "quickgelu"
        return "gelu" if f"{self.name}{_QUICK}" in open_clip.list_models() else None

    def require_trained_as(self, model_name: str, content: Mapping[str, Any]) -> None:
        """Raise `ModelError` for a checkpoint that was trained with the other activation.

        Its keys fit, and its numbers would be wrong. open_clip's training writes the
        architecture into its checkpoints.
        """
        # The name of a run has its settings in it, such as model_ViT-B-32-lr_0.001.
        run = content.get("name")
        if self.name is None or not isinstance(run, str):
            return
        if self.name.endswith(_QUICK):
            twin = self.name.removesuffix(_QUICK)
        else:
            twin = f"{self.name}{_QUICK}"
        if f"model_{twin}-lr_" in run:
            raise ModelError(
                f"Expected weights of {model_name} that were trained as {self.name}, got"
                f" a checkpoint that was trained as {twin}: the keys fit, and the"
                f' activation does not. Set architecture = "{twin}".'
            )
