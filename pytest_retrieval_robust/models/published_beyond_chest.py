"""Published models of pathology, dermatology and the biomedical literature, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.catalogue import Catalogue
from . import ModelEntry
from ._files.hub_cache import OPEN_CLIP_WEIGHTS
from ._files.hub_files import HubFile
from ._files.plain_files import PlainFile
from ._formats.entries import clip_model, open_clip_model
from ._formats.hosted import hosted_system, open_clip_file_model

if TYPE_CHECKING:
    from ._formats.recipe import Recipe

# Its name of before 2023, which QuiltNet's configuration still has.
_PUBMED_BERT = "microsoft/BiomedNLP-PubMedBERT-base-uncased-abstract"
_PUBMED_BERT_EMBEDDINGS = "neuml/pubmedbert-base-embeddings"
_MODERN_BERT = "thomas-sounack/BioClinical-ModernBERT-base"
_TRANSFORMERS_FILES = ("model.safetensors", "pytorch_model.bin")
_NON_COMMERCIAL = "CC BY-NC 4.0 (non-commercial)"


def register(catalogue: Catalogue[ModelEntry]) -> None:
    for entry in (*_pathology(), *_dermatology(), *_biomedical()):
        catalogue.add(entry)


def _pathology() -> list[ModelEntry]:
    return [
        open_clip_model(
            "quiltnet-b32",
            "QuiltNet ViT-B/32, pathology",
            "wisdomik/QuiltNet-B-32",
            licence="MIT",
        ),
        open_clip_model(
            "quiltnet-b16",
            "QuiltNet ViT-B/16, pathology",
            "wisdomik/QuiltNet-B-16",
            licence="MIT",
        ),
        open_clip_model(
            "quiltnet-b16-pmb",
            "QuiltNet ViT-B/16 with PubMedBERT, pathology",
            "wisdomik/QuiltNet-B-16-PMB",
            tower=_PUBMED_BERT,
            licence="MIT",
        ),
        clip_model("plip", "PLIP ViT-B/32, pathology", "vinid/plip"),
        hosted_system(
            "keep",
            "KEEP ViT-L/16 with PubMedBERT, pathology",
            _keep,
            HubFile("Astaxanthin/KEEP", _TRANSFORMERS_FILES),
        ),
        open_clip_file_model(
            "pathgen-clip",
            "PathGen-CLIP ViT-B/16, pathology",
            "ViT-B-16",
            PlainFile(
                "pathgenclip.pt", "https://github.com/PathFoundation/PathGen-1.6M"
            ),
            licence="CC BY 2.0",
            terms="contact details, to be given on its page of the hub",
        ),
        clip_model(
            "pathgen-clip-l",
            "PathGen-CLIP ViT-L/14, pathology",
            "jamessyx/pathgenclip-vit-large-patch14-hf",
            licence=_NON_COMMERCIAL,
        ),
    ]


def _dermatology() -> list[ModelEntry]:
    return [
        open_clip_model(
            "dermlip",
            "DermLIP ViT-B/16, dermatology",
            "redlessone/DermLIP_ViT-B-16",
            licence=_NON_COMMERCIAL,
        ),
        hosted_system(
            "dermlip-panderm",
            "DermLIP with PanDerm's ViT-B/16 and PubMedBERT, dermatology",
            _dermlip_panderm,
            HubFile("redlessone/DermLIP_PanDerm-base-w-PubMed-256", OPEN_CLIP_WEIGHTS),
            tokenizer=_PUBMED_BERT_EMBEDDINGS,
        ),
        clip_model("monet", "MONET ViT-L/14, dermatology", "suinleelab/monet"),
    ]


def _biomedical() -> list[ModelEntry]:
    return [
        open_clip_file_model(
            "bmc-clip",
            "BMC-CLIP ViT-L/14, figures of the literature",
            "ViT-L-14",
            HubFile("BIOMEDICA/BMC_CLIP_CF", ("BMC_CLIP_CF.pt",)),
            licence="MIT",
        ),
        hosted_system(
            "bmc-longclip",
            "BMC-LongCLIP ViT-L/14 with BioClinical ModernBERT, 512 tokens",
            _bmc_longclip,
            # Its configuration is published, the name of its file was not seen.
            HubFile("BIOMEDICA/BMC-LongCLIP"),
            tokenizer=_MODERN_BERT,
        ),
    ]


# Recipes of authors' formats are imported late: each one imports torch.


def _keep() -> Recipe:
    from ._formats.keep import KEEP

    return KEEP


def _dermlip_panderm() -> Recipe:
    from ._formats.dermlip import DERMLIP_PANDERM

    return DERMLIP_PANDERM


def _bmc_longclip() -> Recipe:
    from ._formats.bmc_longclip import BMC_LONGCLIP

    return BMC_LONGCLIP
