"""A transformers image processor through its PIL backend, which is what the loader asks for."""

from __future__ import annotations

import tempfile
from typing import Any

from transformers import AutoImageProcessor


def pil_version(processor: Any) -> Any:
    """Save and reload, as a checkpoint's processor is loaded."""
    with tempfile.TemporaryDirectory() as folder:
        processor.save_pretrained(folder)
        return AutoImageProcessor.from_pretrained(folder, backend="pil")
