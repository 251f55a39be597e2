"""Published models under their names: the four systems of the paper (arXiv 2501.09134),
and later medical encoders.

A model that transformers or open_clip knows is one line here; one with code of its
authors' own has a recipe.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module

from ..catalogue import Catalogue
from . import DualEncoder, LoadRequest, ModelEntry
from ._files.hub import (
    cached_folder,
    missing_from_hub,
    missing_tokenizer,
    repository_folder,
)
from ._files.plain_files import PlainFile, check_published, local_file, missing_file

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
        _clip("clip", "OpenAI's CLIP ViT-B/32", CLIP_REPOSITORY),
        _plain(
            "cxr-repair",
            "CXR-RePaiR, a CLIP ViT-B/32 trained on the impressions of MIMIC-CXR",
            "openai_clip.CXR_REPAIR",
            PlainFile(
                "clip-imp-pretrained_128_6_after_4.pt",
                f"{_BOX}/dbebk0jr5651dj8x1cu6b6kqyuuvz3ml",
            ),
        ),
        _plain(
            "medclip",
            "MedCLIP with ResNet-50",
            "medclip.MEDCLIP",
            _fetched(f"{_MEDCLIP}/medclip-pretrained.zip"),
            _BIO_CLINICAL_BERT,
        ),
        _plain(
            "medclip-vit",
            "MedCLIP with Swin-Tiny",
            "medclip.MEDCLIP",
            _fetched(f"{_MEDCLIP}/medclip-vit-pretrained.zip"),
            _BIO_CLINICAL_BERT,
        ),
        _plain(
            "cxr-clip",
            "CXR-CLIP with Swin-Tiny, trained on MIMIC-CXR, CheXpert and ChestX-ray14",
            "cxr_clip.CXR_CLIP",
            _fetched(
                f"{_CXR_CLIP}/a25ce760064591c899f67c97ed7790de/swint_mcc.tar",
                _CXR_CLIP_PAGE,
            ),
            _BIO_CLINICAL_BERT,
        ),
        _plain(
            "cxr-clip-r50",
            "CXR-CLIP with ResNet-50, trained on MIMIC-CXR, CheXpert and ChestX-ray14",
            "cxr_clip.CXR_CLIP",
            _fetched(
                f"{_CXR_CLIP}/de4b5e4ae2047c1fb7960ddcd8d861cb/r50_mcc.tar",
                _CXR_CLIP_PAGE,
            ),
            _BIO_CLINICAL_BERT,
        ),
    ]


def _later() -> list[ModelEntry]:
    return [
        _plain(
            "chexzero",
            "CheXzero, a CLIP ViT-B/32 trained on the impressions of MIMIC-CXR",
            "openai_clip.CXR_REPAIR",
            PlainFile(
                "best_64_5e-05_original_22000_0.864.pt",
                "https://github.com/rajpurkarlab/CheXzero",
                sha256=(
                    "567a2efbabc6a02370de6e18178afd22ee72d7e6f29a789db1535e5c798d6ae8"
                ),
            ),
        ),
        _plain(
            "gloria",
            "GLoRIA with ResNet-50, its global embeddings",
            "gloria.GLORIA",
            PlainFile(
                "chexpert_resnet50.ckpt", f"{_BOX}/j5h7q99f3pfi7enc0dom73m4nsm6yzvh"
            ),
            _BIO_CLINICAL_BERT,
        ),
        _plain(
            "medprobclip",
            "MedProbCLIP, ranked by its own match score",
            "medprobclip.MEDPROBCLIP",
            PlainFile(
                "pre-trained_weights.pt", "https://github.com/FOURM-LAB/MedProbCLIP"
            ),
            _BIOMED_BERT_FULL,
        ),
        _plain(
            "unimedclip",
            "UniMedCLIP ViT-B/16 with BiomedBERT",
            "unimedclip.UNIMEDCLIP",
            PlainFile(
                "unimed_clip_vit_b16.pt", "https://github.com/mbzuai-oryx/UniMed-CLIP"
            ),
            _BIOMED_BERT,
        ),
        _clip(
            "pubmedclip",
            "PubMedCLIP, CLIP tuned on ROCO",
            "flaviagiammarino/pubmed-clip-vit-base-patch32",
        ),
        _folder(
            "biovil-t",
            "BioViL-T with CXR-BERT, one image",
            "microsoft/BiomedVLP-BioViL-T",
        ),
        _folder(
            "biovil", "BioViL with CXR-BERT", "microsoft/BiomedVLP-CXR-BERT-specialized"
        ),
        _hosted(
            "medsiglip",
            "MedSigLIP (its terms must be accepted on the hub)",
            "google/medsiglip-448",
            "transformers",
            terms=True,
        ),
        _hosted(
            "whyxrayclip", "WhyXrayCLIP ViT-L/14", "yyupenn/whyxrayclip", "open_clip"
        ),
        _hosted(
            "biomedclip",
            "BiomedCLIP ViT-B/16 with PubMedBERT",
            "microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224",
            "open_clip",
            tower=_BIOMED_BERT,
        ),
    ]


def _hosted(
    name: str,
    summary: str,
    repository: str,
    library: str,
    *,
    tower: str | None = None,
    terms: bool = False,
) -> ModelEntry:
    """A model of the hub that transformers or open_clip knows; `tower` is a second
    repository, of its text tower.
    """

    def load(request: LoadRequest) -> DualEncoder:
        if request.checkpoint is not None:
            from .locators import folder_entry

            return folder_entry(
                request.name or name, request.checkpoint, _shown(request)
            ).load(request)
        if library == "transformers":
            from ._formats.transformers import load_pretrained

            return load_pretrained(
                name, repository, request, shown_source=f"hf:{repository}"
            )
        from ._formats.open_clip import load_repository

        return load_repository(name, repository, request)

    def missing(request: LoadRequest) -> str | None:
        if request.checkpoint is not None:
            return None
        absent = missing_from_hub(name, repository, terms=terms)
        if absent is None or tower is None or cached_folder(repository) is not None:
            return absent
        return f"{absent}, and its text tower's with `hf download {tower}`"

    return ModelEntry(
        name,
        summary,
        load,
        missing,
        accepts=("checkpoint", "tokenizer", "preprocessing"),
    )


def _folder(name: str, summary: str, repository: str) -> ModelEntry:
    """BioViL's: a repository that holds the image weights beside the text model."""

    def load(request: LoadRequest) -> DualEncoder:
        from ._formats.biovil import load as load_biovil

        if request.checkpoint is not None:
            return load_biovil(
                name, request.checkpoint, request, source=_shown(request)
            )
        folder = repository_folder(name, repository, request)
        return load_biovil(name, folder, request, source=f"hf:{repository}")

    def missing(request: LoadRequest) -> str | None:
        return (
            None
            if request.checkpoint is not None
            else missing_from_hub(name, repository)
        )

    return ModelEntry(
        name,
        summary,
        load,
        missing,
        accepts=("checkpoint", "tokenizer", "context_length"),
    )


def _fetched(url: str, page: str | None = None) -> PlainFile:
    return PlainFile(url.rpartition("/")[2], page or url, url)


def _clip(name: str, summary: str, repository: str) -> ModelEntry:
    """A CLIP of the hub; a file of the user's own may be in OpenAI's key layout, a
    folder in either library's.
    """

    def load(request: LoadRequest) -> DualEncoder:
        if request.checkpoint is None:
            from ._formats.transformers import load_pretrained

            return load_pretrained(
                name, repository, request, shown_source=f"hf:{repository}"
            )
        if request.checkpoint.is_dir():
            from .locators import folder_entry

            called = request.name or name
            return folder_entry(called, request.checkpoint, _shown(request)).load(
                request
            )
        return _recipe("openai_clip.OPENAI_CLIP")(
            name, request.checkpoint, request, source=_shown(request)
        )

    return ModelEntry(
        name,
        summary,
        load,
        lambda request: (
            None if request.checkpoint else missing_from_hub(name, repository)
        ),
        accepts=("checkpoint",),
    )


def _plain(
    name: str, summary: str, recipe: str, file: PlainFile, tokenizer: str | None = None
) -> ModelEntry:
    """A system in its authors' own format; `recipe` is MODULE.NAME of this folder."""

    def load(request: LoadRequest) -> DualEncoder:
        load_file = _recipe(recipe)
        if request.checkpoint is not None:
            return load_file(name, request.checkpoint, request, source=_shown(request))
        model = load_file(
            name, local_file(name, file, request), request, source=file.page
        )
        check_published(file, model.card.sha256)
        return model

    def missing(request: LoadRequest) -> str | None:
        absent = missing_file(name, file, request)
        if absent is None and tokenizer is not None and request.tokenizer is None:
            return missing_tokenizer(name, tokenizer)
        return absent

    accepts = ("checkpoint", "preprocessing") if tokenizer is None else _WITH_TOKENIZER
    return ModelEntry(
        name, summary, load, missing, fetchable=file.url is not None, accepts=accepts
    )


_WITH_TOKENIZER = ("checkpoint", "tokenizer", "preprocessing", "context_length")


def _recipe(place: str) -> Callable[..., DualEncoder]:
    from ._formats.recipe import load_system

    module, _, constant = place.partition(".")
    found = getattr(import_module(f"{__package__}._formats.{module}"), constant)
    return partial(load_system, recipe=found)


def _shown(request: LoadRequest) -> str:
    # A path stays out of cards and results: they hold the file's own name alone.
    assert request.checkpoint is not None
    return f"checkpoint:{request.checkpoint.name}"
