"""Ranks at the size of MIMIC-CXR."""

from __future__ import annotations

from .steps import Notebook, Setting


def run(setting: Setting, notebook: Notebook) -> None:
    notebook.skip("mimic-ranks", "not written yet")
