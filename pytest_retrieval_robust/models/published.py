"""Published models under their names: the four systems of the paper (arXiv 2501.09134), and later medical encoders.

A model that transformers or open_clip knows is one line here; one with code of its authors' own has a recipe.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module

from ..catalogue import Catalogue
from . import DualEncoder, LoadRequest, ModelEntry
from ._hub import missing_from_hub, missing_tokenizer
from ._plain_files import PlainFile, check_published, local_file, missing_file

CLIP_REPOSITORY = "openai/clip-vit-base-patch32"
_BIO_CLINICAL_BERT = "emilyalsentzer/Bio_ClinicalBERT"
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
            "_openai_clip.CXR_REPAIR",
            PlainFile("clip-imp-pretrained_128_6_after_4.pt", f"{_BOX}/dbebk0jr5651dj8x1cu6b6kqyuuvz3ml"),
        ),
        _plain(
            "medclip",
            "MedCLIP with ResNet-50",
            "_medclip.MEDCLIP",
            _fetched(f"{_MEDCLIP}/medclip-pretrained.zip"),
            _BIO_CLINICAL_BERT,
        ),
        _plain(
            "medclip-vit",
            "MedCLIP with Swin-Tiny",
            "_medclip.MEDCLIP",
            _fetched(f"{_MEDCLIP}/medclip-vit-pretrained.zip"),
            _BIO_CLINICAL_BERT,
        ),
        _plain(
            "cxr-clip",
            "CXR-CLIP with Swin-Tiny, trained on MIMIC-CXR, CheXpert and ChestX-ray14",
            "_cxr_clip.CXR_CLIP",
            _fetched(f"{_CXR_CLIP}/a25ce760064591c899f67c97ed7790de/swint_mcc.tar", _CXR_CLIP_PAGE),
            _BIO_CLINICAL_BERT,
        ),
        _plain(
            "cxr-clip-r50",
            "CXR-CLIP with ResNet-50, trained on MIMIC-CXR, CheXpert and ChestX-ray14",
            "_cxr_clip.CXR_CLIP",
            _fetched(f"{_CXR_CLIP}/de4b5e4ae2047c1fb7960ddcd8d861cb/r50_mcc.tar", _CXR_CLIP_PAGE),
            _BIO_CLINICAL_BERT,
        ),
    ]


def _later() -> list[ModelEntry]:
    return [
        _plain(
            "chexzero",
            "CheXzero, a CLIP ViT-B/32 trained on the impressions of MIMIC-CXR",
            "_openai_clip.CXR_REPAIR",
            PlainFile(
                "best_64_5e-05_original_22000_0.864.pt",
                "https://github.com/rajpurkarlab/CheXzero",
                sha256="567a2efbabc6a02370de6e18178afd22ee72d7e6f29a789db1535e5c798d6ae8",
            ),
        ),
        _clip("pubmedclip", "PubMedCLIP, CLIP tuned on ROCO", "flaviagiammarino/pubmed-clip-vit-base-patch32"),
    ]


def _fetched(url: str, page: str | None = None) -> PlainFile:
    return PlainFile(url.rpartition("/")[2], page or url, url)


def _clip(name: str, summary: str, repository: str) -> ModelEntry:
    """A CLIP of the hub; a file of the user's own may be in OpenAI's key layout, a folder in either library's."""

    def load(request: LoadRequest) -> DualEncoder:
        if request.checkpoint is None:
            from ._transformers import load_pretrained

            return load_pretrained(name, repository, request, shown_source=f"hf:{repository}")
        if request.checkpoint.is_dir():
            from ._locators import folder_entry

            called = request.name or name
            return folder_entry(called, request.checkpoint, _shown(request)).load(request)
        return _recipe("_openai_clip.OPENAI_CLIP")(name, request.checkpoint, request, source=_shown(request))

    return ModelEntry(
        name,
        summary,
        load,
        lambda request: None if request.checkpoint else missing_from_hub(name, repository),
        accepts=("checkpoint",),
    )


def _plain(name: str, summary: str, recipe: str, file: PlainFile, tokenizer: str | None = None) -> ModelEntry:
    """A system in its authors' own format; `recipe` is MODULE.NAME of this folder."""

    def load(request: LoadRequest) -> DualEncoder:
        load_file = _recipe(recipe)
        if request.checkpoint is not None:
            return load_file(name, request.checkpoint, request, source=_shown(request))
        model = load_file(name, local_file(name, file, request), request, source=file.page)
        check_published(file, model.card.sha256)
        return model

    def missing(request: LoadRequest) -> str | None:
        absent = missing_file(name, file, request)
        if absent is None and tokenizer is not None and request.tokenizer is None:
            return missing_tokenizer(name, tokenizer)
        return absent

    accepts = ("checkpoint", "preprocessing") if tokenizer is None else _WITH_TOKENIZER
    return ModelEntry(name, summary, load, missing, fetchable=file.url is not None, accepts=accepts)


_WITH_TOKENIZER = ("checkpoint", "tokenizer", "preprocessing", "context_length")


def _recipe(place: str) -> Callable[..., DualEncoder]:
    module, _, constant = place.partition(".")
    from ._recipe import load_system

    found = getattr(import_module(f"{__package__}.{module}"), constant)
    return partial(load_system, recipe=found)


def _shown(request: LoadRequest) -> str:
    # A path stays out of cards and results: they hold the file's own name alone.
    assert request.checkpoint is not None
    return f"checkpoint:{request.checkpoint.name}"
