"""Bars of transformers: gone while weights are read, and as they were before and after."""

from __future__ import annotations

import warnings
from importlib import import_module

import pytest
from transformers.utils.logging import is_progress_bar_enabled

from pytest_retrieval_robust.models._formats.quiet import without_bars


@pytest.mark.parametrize("variable", [None, False])
def test_bars_are_put_back_and_a_users_variable_decides_without_a_warning(
    monkeypatch: pytest.MonkeyPatch, variable: bool | None
) -> None:
    """False is what the hub makes of `HF_HUB_DISABLE_PROGRESS_BARS=0`."""
    for module in ("huggingface_hub.constants", "huggingface_hub.utils.tqdm"):
        monkeypatch.setattr(
            import_module(module), "HF_HUB_DISABLE_PROGRESS_BARS", variable
        )
    monkeypatch.setattr("transformers.utils.logging._tqdm_active", True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with without_bars():
            assert is_progress_bar_enabled() == (variable is False)
    assert is_progress_bar_enabled()
