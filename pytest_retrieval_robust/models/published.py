"""The four systems of the paper (arXiv 2501.09134) under their names.

CLIP loads from its published weights. The checkpoints of the other three are in formats of their authors' own; this
version has no loader for them, says so, and tests a converted copy when it is given one as `local-dir:FOLDER`.
"""

from __future__ import annotations

from ..catalogue import Catalogue
from ..errors import NotOnThisMachineError
from . import DualEncoder, LoadRequest, ModelEntry
from ._hub import missing_from_hub

CLIP_REPOSITORY = "openai/clip-vit-base-patch32"
_AUTHORS_FORMATS = {
    "cxr-repair": "CXR-RePaiR, a CLIP ViT-B/32 trained on reports of MIMIC-CXR",
    "medclip": "MedCLIP, ResNet-50 or Swin with Bio_ClinicalBERT",
    "cxr-clip": "CXR-CLIP, ResNet-50 or Swin-Tiny with Bio_ClinicalBERT",
}


def register(catalogue: Catalogue[ModelEntry]) -> None:
    catalogue.add(
        ModelEntry("clip", "OpenAI's CLIP ViT-B/32", _load_clip, lambda: missing_from_hub("clip", CLIP_REPOSITORY))
    )
    for name, summary in _AUTHORS_FORMATS.items():
        catalogue.add(_without_loader(name, summary))


def _load_clip(request: LoadRequest) -> DualEncoder:
    from ._transformers import load_pretrained

    return load_pretrained("clip", CLIP_REPOSITORY, request, shown_source=f"hf:{CLIP_REPOSITORY}")


def _without_loader(name: str, summary: str) -> ModelEntry:
    reason = (
        f"this version cannot read the authors' checkpoint format of {name}; "
        "convert it to a transformers or open_clip folder and pass local-dir:FOLDER"
    )

    def load(request: LoadRequest) -> DualEncoder:  # noqa: ARG001 - every entry is asked the same way
        raise NotOnThisMachineError(f"Expected a loader for {name}: {reason}.")

    return ModelEntry(name, summary, load, lambda: reason, fetchable=False)
