"""Published models of chest radiographs by Stanford's AIMI Center, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.catalogue import Catalogue
from . import ModelEntry
from ._files.hub_files import HubFile
from ._formats.entries import transformers_model
from ._formats.hosted import hosted_system

if TYPE_CHECKING:
    from ._formats.recipe import Recipe

_BIO_CLINICAL_BERT = "emilyalsentzer/Bio_ClinicalBERT"
_LOSSES = ("XrayCLIP", "XraySigLIP")
"""What they were trained with; the network follows from the weights that it began as."""
_BEGINNINGS = {
    "vit-b-16": ("ViT-B/16", "vit-b-16__laion2b-s34b-b88k"),
    "vit-l-14": ("ViT-L/14", "vit-l-14__laion2b-s32b-b82k"),
    "vit-b-16-siglip-512": ("SigLIP B/16 of 512 pixels", "vit-b-16-siglip-512__webli"),
    "vit-l-16-siglip-384": ("SigLIP L/16 of 384 pixels", "vit-l-16-siglip-384__webli"),
}
"""Ends of our names -> the network in words, and the end of the repository's name."""
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")


def register(catalogue: Catalogue[ModelEntry]) -> None:
    for loss in _LOSSES:
        for end, (network, repository) in _BEGINNINGS.items():
            catalogue.add(_xray_model(loss, end, network, repository))
    catalogue.add(
        hosted_system(
            "chexficient",
            "CheXficient, DINOv2 ViT-B/14 of 378 pixels with Bio_ClinicalBERT",
            _chexficient,
            HubFile("StanfordAIMI/CheXficient", _WEIGHTS),
            tokenizer=_BIO_CLINICAL_BERT,
        )
    )


def _xray_model(loss: str, end: str, network: str, repository: str) -> ModelEntry:
    return transformers_model(
        f"{loss.lower()}-{end}",
        f"{loss}, {network}, of CheXagent's authors",
        f"StanfordAIMI/{loss}__{repository}",
        licence="CC BY-NC 4.0 (non-commercial)",
    )


# A recipe is imported late: it imports torch.


def _chexficient() -> Recipe:
    from ._formats.chexficient import CHEXFICIENT

    return CHEXFICIENT
