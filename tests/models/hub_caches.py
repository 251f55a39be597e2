"""A Hugging Face cache of a test's own."""

from __future__ import annotations

from pathlib import Path

import pytest


def use_hub_cache(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Have the hub's client and transformers, which asks it in its own way, look there."""
    for place in (
        "huggingface_hub.constants.HF_HUB_CACHE",
        "transformers.utils.hub.constants.HF_HUB_CACHE",
        # transformers 4 read it when it was imported.
        "transformers.utils.hub.TRANSFORMERS_CACHE",
    ):
        monkeypatch.setattr(place, str(folder), raising=False)
