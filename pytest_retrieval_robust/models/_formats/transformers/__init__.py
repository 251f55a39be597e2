"""Dual encoders through transformers: CLIP, SigLIP and others with a fixed square input."""

from __future__ import annotations

from .loading import load_pretrained

__all__ = ["load_pretrained"]
