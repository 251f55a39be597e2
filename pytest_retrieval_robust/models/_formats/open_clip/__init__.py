"""Dual encoders through open_clip, with the preprocessing that the checkpoint declares."""

from __future__ import annotations

from .loading import load_file, load_folder, load_repository, load_tag

__all__ = ["load_file", "load_folder", "load_repository", "load_tag"]
