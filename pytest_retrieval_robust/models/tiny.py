"""The embedded encoders: small, trained on synthetic radiographs, in the package, so that they run everywhere."""

from __future__ import annotations

from pathlib import Path

from ..catalogue import Catalogue
from . import DualEncoder, LoadRequest, ModelEntry

WEIGHTS = Path(__file__).parent / "weights"


def register(catalogue: Catalogue[ModelEntry]) -> None:
    catalogue.add(
        ModelEntry(
            "tiny-cxr-clip",
            "a 2-million-parameter CLIP trained on synthetic radiographs; a test instrument, not a medical model",
            _load,
            embedded=True,
        )
    )


def _load(request: LoadRequest) -> DualEncoder:
    from ._transformers import load_pretrained

    source = str(WEIGHTS / "tiny-cxr-clip")
    return load_pretrained("tiny-cxr-clip", source, request, shown_source="embedded")
