"""A Hugging Face cache of a test's own, for every library that reads one."""

from __future__ import annotations

from pathlib import Path

import pytest

_PLACES = (
    "huggingface_hub.constants.HF_HUB_CACHE",
    "transformers.utils.hub.constants.HF_HUB_CACHE",
    # transformers 4 read it when it was imported.
    "transformers.utils.hub.TRANSFORMERS_CACHE",
)


def use_hub_cache(monkeypatch: pytest.MonkeyPatch, cache: Path) -> Path:
    """Let the libraries look into `cache`."""
    for place in _PLACES:
        monkeypatch.setattr(place, str(cache), raising=False)
    return cache


def use_only_hub_cache(monkeypatch: pytest.MonkeyPatch, cache: Path) -> Path:
    """Let the libraries look into `cache` and nowhere else: without a network."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return use_hub_cache(monkeypatch, cache)
