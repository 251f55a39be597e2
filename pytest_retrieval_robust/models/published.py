"""Published models by name: the four systems of the paper (arXiv 2501.09134), and later ones.

A model that transformers or open_clip knows is one line in this file; one with code of
its authors' own has a recipe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.catalogue import Catalogue
from . import ModelEntry
from ._files.plain_files import PlainFile
from ._formats.entries import (
    authors_model,
    biovil_model,
    clip_model,
    fetched,
    open_clip_model,
    transformers_model,
)

if TYPE_CHECKING:
    from ._formats.recipe import Recipe

CLIP_REPOSITORY = "openai/clip-vit-base-patch32"
_BIO_CLINICAL_BERT = "emilyalsentzer/Bio_ClinicalBERT"
_BIOMED_BERT = "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract"
_BIOMED_BERT_FULL = f"{_BIOMED_BERT}-fulltext"
# Where the authors publish what is fetched or downloaded by hand.
_BOX = "https://stanfordmedicine.box.com/s"
_CXR_CLIP = "https://twg.kakaocdn.net/brainrepo/models/cxr-clip"
_CXR_CLIP_PAGE = "https://github.com/Soombit-ai/cxr-clip"
_MEDCLIP = "https://storage.googleapis.com/pytrial"


def register(catalogue: Catalogue[ModelEntry]) -> None:
    for entry in (*_paper(), *_later()):
        catalogue.add(entry)


def _paper() -> list[ModelEntry]:
    return [
        clip_model("clip", "OpenAI's CLIP ViT-B/32", CLIP_REPOSITORY, licence="MIT"),
        authors_model(
            "cxr-repair",
            "CXR-RePaiR, a CLIP ViT-B/32 trained on the impressions of MIMIC-CXR",
            _cxr_repair,
            PlainFile(
                "clip-imp-pretrained_128_6_after_4.pt",
                f"{_BOX}/dbebk0jr5651dj8x1cu6b6kqyuuvz3ml",
            ),
        ),
        authors_model(
            "medclip",
            "MedCLIP with ResNet-50",
            _medclip,
            fetched(f"{_MEDCLIP}/medclip-pretrained.zip"),
            _BIO_CLINICAL_BERT,
        ),
        authors_model(
            "medclip-vit",
            "MedCLIP with Swin-Tiny",
            _medclip,
            fetched(f"{_MEDCLIP}/medclip-vit-pretrained.zip"),
            _BIO_CLINICAL_BERT,
        ),
        authors_model(
            "cxr-clip",
            "CXR-CLIP with Swin-Tiny, trained on MIMIC-CXR, CheXpert and ChestX-ray14",
            _cxr_clip,
            fetched(
                f"{_CXR_CLIP}/a25ce760064591c899f67c97ed7790de/swint_mcc.tar",
                _CXR_CLIP_PAGE,
            ),
            _BIO_CLINICAL_BERT,
        ),
        authors_model(
            "cxr-clip-r50",
            "CXR-CLIP with ResNet-50, trained on MIMIC-CXR, CheXpert and ChestX-ray14",
            _cxr_clip,
            fetched(
                f"{_CXR_CLIP}/de4b5e4ae2047c1fb7960ddcd8d861cb/r50_mcc.tar",
                _CXR_CLIP_PAGE,
            ),
            _BIO_CLINICAL_BERT,
        ),
    ]


def _later() -> list[ModelEntry]:
    return [
        authors_model(
            "chexzero",
            "CheXzero, a CLIP ViT-B/32 trained on the impressions of MIMIC-CXR",
            _cxr_repair,
            PlainFile(
                "best_64_5e-05_original_22000_0.864.pt",
                "https://github.com/rajpurkarlab/CheXzero",
                sha256=(
                    "567a2efbabc6a02370de6e18178afd22ee72d7e6f29a789db1535e5c798d6ae8"
                ),
            ),
        ),
        authors_model(
            "gloria",
            "GLoRIA with ResNet-50, its global embeddings",
            _gloria,
            PlainFile(
                "chexpert_resnet50.ckpt", f"{_BOX}/j5h7q99f3pfi7enc0dom73m4nsm6yzvh"
            ),
            _BIO_CLINICAL_BERT,
        ),
        authors_model(
            "medprobclip",
            "MedProbCLIP, ranked by its own match score",
            _medprobclip,
            PlainFile(
                "pre-trained_weights.pt", "https://github.com/FOURM-LAB/MedProbCLIP"
            ),
            _BIOMED_BERT_FULL,
        ),
        authors_model(
            "unimedclip",
            "UniMedCLIP ViT-B/16 with BiomedBERT",
            _unimedclip,
            PlainFile(
                "unimed_clip_vit_b16.pt", "https://github.com/mbzuai-oryx/UniMed-CLIP"
            ),
            _BIOMED_BERT,
        ),
        clip_model(
            "pubmedclip",
            "PubMedCLIP, CLIP tuned on ROCO",
            "flaviagiammarino/pubmed-clip-vit-base-patch32",
            licence="MIT",
        ),
        biovil_model(
            "biovil-t",
            "BioViL-T with CXR-BERT, one image",
            "microsoft/BiomedVLP-BioViL-T",
        ),
        biovil_model(
            "biovil", "BioViL with CXR-BERT", "microsoft/BiomedVLP-CXR-BERT-specialized"
        ),
        transformers_model(
            "medsiglip",
            "MedSigLIP (its terms must be accepted on the hub)",
            "google/medsiglip-448",
            licence="Health AI Developer Foundations terms of use",
            terms=True,
        ),
        open_clip_model("whyxrayclip", "WhyXrayCLIP ViT-L/14", "yyupenn/whyxrayclip"),
        open_clip_model(
            "biomedclip",
            "BiomedCLIP ViT-B/16 with PubMedBERT",
            "microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224",
            tower=_BIOMED_BERT,
            licence="MIT",
        ),
    ]


# Recipes of authors' formats are imported late: each one imports torch.


def _cxr_repair() -> Recipe:
    from ._formats.openai_clip import CXR_REPAIR

    return CXR_REPAIR


def _medclip() -> Recipe:
    from ._formats.medclip import MEDCLIP

    return MEDCLIP


def _cxr_clip() -> Recipe:
    from ._formats.cxr_clip import CXR_CLIP

    return CXR_CLIP


def _gloria() -> Recipe:
    from ._formats.gloria import GLORIA

    return GLORIA


def _medprobclip() -> Recipe:
    from ._formats.medprobclip import MEDPROBCLIP

    return MEDPROBCLIP


def _unimedclip() -> Recipe:
    from ._formats.unimedclip import UNIMEDCLIP

    return UNIMEDCLIP
