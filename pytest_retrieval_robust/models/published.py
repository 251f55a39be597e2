"""Published models by name: the four systems of the paper (arXiv 2501.09134), and later ones.

A model that transformers or open_clip knows is one line in this file; one with code of
its authors' own has a recipe.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..catalogue import Catalogue
from . import DualEncoder, LoadRequest, ModelEntry
from ._files.hub import missing_from_hub, repository_folder
from ._files.hub_cache import cached_folder
from ._files.plain_files import PlainFile, check_published, local_file, missing_file
from ._files.tokenizer import missing_tokenizer

if TYPE_CHECKING:
    from ._formats.recipe import Recipe

CLIP_REPOSITORY = "openai/clip-vit-base-patch32"
_BIO_CLINICAL_BERT = "emilyalsentzer/Bio_ClinicalBERT"
_BIOMED_BERT = "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract"
_BIOMED_BERT_FULL = f"{_BIOMED_BERT}-fulltext"
_BOX = "https://stanfordmedicine.box.com/s"
_CXR_CLIP = "https://twg.kakaocdn.net/brainrepo/models/cxr-clip"
_CXR_CLIP_PAGE = "https://github.com/Soombit-ai/cxr-clip"
_MEDCLIP = "https://storage.googleapis.com/pytrial"


def register(catalogue: Catalogue[ModelEntry]) -> None:
    for entry in (*_paper(), *_later()):
        catalogue.add(entry)


def _paper() -> list[ModelEntry]:
    return [
        _clip_model("clip", "OpenAI's CLIP ViT-B/32", CLIP_REPOSITORY),
        _authors_model(
            "cxr-repair",
            "CXR-RePaiR, a CLIP ViT-B/32 trained on the impressions of MIMIC-CXR",
            _cxr_repair,
            PlainFile(
                "clip-imp-pretrained_128_6_after_4.pt",
                f"{_BOX}/dbebk0jr5651dj8x1cu6b6kqyuuvz3ml",
            ),
        ),
        _authors_model(
            "medclip",
            "MedCLIP with ResNet-50",
            _medclip,
            _fetched(f"{_MEDCLIP}/medclip-pretrained.zip"),
            _BIO_CLINICAL_BERT,
        ),
        _authors_model(
            "medclip-vit",
            "MedCLIP with Swin-Tiny",
            _medclip,
            _fetched(f"{_MEDCLIP}/medclip-vit-pretrained.zip"),
            _BIO_CLINICAL_BERT,
        ),
        _authors_model(
            "cxr-clip",
            "CXR-CLIP with Swin-Tiny, trained on MIMIC-CXR, CheXpert and ChestX-ray14",
            _cxr_clip,
            _fetched(
                f"{_CXR_CLIP}/a25ce760064591c899f67c97ed7790de/swint_mcc.tar",
                _CXR_CLIP_PAGE,
            ),
            _BIO_CLINICAL_BERT,
        ),
        _authors_model(
            "cxr-clip-r50",
            "CXR-CLIP with ResNet-50, trained on MIMIC-CXR, CheXpert and ChestX-ray14",
            _cxr_clip,
            _fetched(
                f"{_CXR_CLIP}/de4b5e4ae2047c1fb7960ddcd8d861cb/r50_mcc.tar",
                _CXR_CLIP_PAGE,
            ),
            _BIO_CLINICAL_BERT,
        ),
    ]


def _later() -> list[ModelEntry]:
    return [
        _authors_model(
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
        _authors_model(
            "gloria",
            "GLoRIA with ResNet-50, its global embeddings",
            _gloria,
            PlainFile(
                "chexpert_resnet50.ckpt", f"{_BOX}/j5h7q99f3pfi7enc0dom73m4nsm6yzvh"
            ),
            _BIO_CLINICAL_BERT,
        ),
        _authors_model(
            "medprobclip",
            "MedProbCLIP, ranked by its own match score",
            _medprobclip,
            PlainFile(
                "pre-trained_weights.pt", "https://github.com/FOURM-LAB/MedProbCLIP"
            ),
            _BIOMED_BERT_FULL,
        ),
        _authors_model(
            "unimedclip",
            "UniMedCLIP ViT-B/16 with BiomedBERT",
            _unimedclip,
            PlainFile(
                "unimed_clip_vit_b16.pt", "https://github.com/mbzuai-oryx/UniMed-CLIP"
            ),
            _BIOMED_BERT,
        ),
        _clip_model(
            "pubmedclip",
            "PubMedCLIP, CLIP tuned on ROCO",
            "flaviagiammarino/pubmed-clip-vit-base-patch32",
        ),
        _biovil_model(
            "biovil-t",
            "BioViL-T with CXR-BERT, one image",
            "microsoft/BiomedVLP-BioViL-T",
        ),
        _biovil_model(
            "biovil", "BioViL with CXR-BERT", "microsoft/BiomedVLP-CXR-BERT-specialized"
        ),
        _transformers_model(
            "medsiglip",
            "MedSigLIP (its terms must be accepted on the hub)",
            "google/medsiglip-448",
            terms=True,
        ),
        _open_clip_model("whyxrayclip", "WhyXrayCLIP ViT-L/14", "yyupenn/whyxrayclip"),
        _open_clip_model(
            "biomedclip",
            "BiomedCLIP ViT-B/16 with PubMedBERT",
            "microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224",
            tower=_BIOMED_BERT,
        ),
    ]


# Models of the hub


def _transformers_model(
    name: str, summary: str, repository: str, *, terms: bool = False
) -> ModelEntry:
    """A model of the hub that transformers knows; its `terms` must be accepted first."""

    def load(request: LoadRequest) -> DualEncoder:
        if request.checkpoint is not None:
            return _load_folder(name, request.checkpoint, request)
        from ._formats.transformers import load_pretrained

        return load_pretrained(
            name, repository, request, shown_source=f"hf:{repository}"
        )

    def missing(request: LoadRequest) -> str | None:
        if request.checkpoint is not None:
            return None
        return missing_from_hub(name, repository, terms=terms)

    return ModelEntry(name, summary, load, missing, accepts=_HUB_OPTIONS)


def _open_clip_model(
    name: str, summary: str, repository: str, *, tower: str | None = None
) -> ModelEntry:
    """A model of the hub that open_clip knows; `tower` is its text tower's repository."""

    def load(request: LoadRequest) -> DualEncoder:
        if request.checkpoint is not None:
            return _load_folder(name, request.checkpoint, request)
        from ._formats.open_clip import load_repository

        return load_repository(name, repository, request)

    def missing(request: LoadRequest) -> str | None:
        if request.checkpoint is not None:
            return None
        reason = missing_from_hub(name, repository)
        # The configuration of a cached repository names the text tower itself.
        if reason is None or tower is None or cached_folder(repository) is not None:
            return reason
        return f"{reason}, and its text tower with `hf download {tower}`"

    return ModelEntry(name, summary, load, missing, accepts=_HUB_OPTIONS)


def _clip_model(name: str, summary: str, repository: str) -> ModelEntry:
    """A CLIP of the hub.

    A user's own file may be in OpenAI's key layout, a folder in either library's.
    """

    def load(request: LoadRequest) -> DualEncoder:
        checkpoint = request.checkpoint
        if checkpoint is None:
            from ._formats.transformers import load_pretrained

            return load_pretrained(
                name, repository, request, shown_source=f"hf:{repository}"
            )
        if checkpoint.is_dir():
            return _load_folder(name, checkpoint, request)
        from ._formats.recipe import load_system

        source = _shown(checkpoint)
        return load_system(name, checkpoint, request, _openai_clip(), source=source)

    def missing(request: LoadRequest) -> str | None:
        if request.checkpoint is not None:
            return None
        return missing_from_hub(name, repository)

    return ModelEntry(name, summary, load, missing, accepts=("checkpoint",))


def _biovil_model(name: str, summary: str, repository: str) -> ModelEntry:
    """BioViL's: a repository that holds the image weights beside the text model."""

    def load(request: LoadRequest) -> DualEncoder:
        from ._formats.biovil import load as load_biovil

        checkpoint = request.checkpoint
        if checkpoint is not None:
            return load_biovil(name, checkpoint, request, source=_shown(checkpoint))
        folder = repository_folder(name, repository, request)
        return load_biovil(name, folder, request, source=f"hf:{repository}")

    def missing(request: LoadRequest) -> str | None:
        if request.checkpoint is not None:
            return None
        return missing_from_hub(name, repository)

    accepts = ("checkpoint", "tokenizer", "context_length")
    return ModelEntry(name, summary, load, missing, accepts=accepts)


_HUB_OPTIONS = ("checkpoint", "tokenizer", "preprocessing")


def _load_folder(name: str, folder: Path, request: LoadRequest) -> DualEncoder:
    """The user's own folder, by the library that it says."""
    from .locators import folder_entry

    return folder_entry(request.name or name, folder, _shown(folder)).load(request)


# Systems in their authors' own formats


def _authors_model(
    name: str,
    summary: str,
    recipe: Callable[[], Recipe],
    file: PlainFile,
    tokenizer: str | None = None,
) -> ModelEntry:
    """A system in its authors' own format, with a tokenizer of the hub or its own."""

    def load(request: LoadRequest) -> DualEncoder:
        from ._formats.recipe import load_system

        checkpoint = request.checkpoint
        if checkpoint is not None:
            source = _shown(checkpoint)
            return load_system(name, checkpoint, request, recipe(), source=source)
        weights = local_file(name, file, request)
        model = load_system(name, weights, request, recipe(), source=file.page)
        check_published(file, model.card.sha256)
        return model

    def missing(request: LoadRequest) -> str | None:
        reason = missing_file(name, file, request)
        if reason is None and tokenizer is not None and request.tokenizer is None:
            return missing_tokenizer(name, tokenizer)
        return reason

    accepts: tuple[str, ...] = ("checkpoint", "preprocessing")
    if tokenizer is not None:
        accepts = ("checkpoint", "tokenizer", "preprocessing", "context_length")
    return ModelEntry(
        name, summary, load, missing, fetchable=file.url is not None, accepts=accepts
    )


def _fetched(url: str, page: str | None = None) -> PlainFile:
    """A file that can be fetched from its address."""
    return PlainFile(url.rpartition("/")[2], page or url, url)


def _shown(checkpoint: Path) -> str:
    # Cards and results never hold a path, only the file's own name.
    return f"checkpoint:{checkpoint.name}"


# Their recipes, imported late: each one imports torch.


def _cxr_repair() -> Recipe:
    from ._formats.openai_clip import CXR_REPAIR

    return CXR_REPAIR


def _openai_clip() -> Recipe:
    from ._formats.openai_clip import OPENAI_CLIP

    return OPENAI_CLIP


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
