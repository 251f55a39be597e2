"""General models of today as references, by name: one or two usual sizes of each.

Every other size is `open_clip:ARCHITECTURE/TAG`.
"""

from __future__ import annotations

from ..core.catalogue import Catalogue
from . import ModelEntry
from ._formats.entries import OpenClipTag, open_clip_tag_model

_APACHE = "Apache-2.0"
_APPLE = "Apple Machine Learning Research Model licence (research only)"
_NON_COMMERCIAL = "CC BY-NC 4.0 (non-commercial)"


def register(catalogue: Catalogue[ModelEntry]) -> None:
    for entry in (*_siglip_2(), *_meta(), *_apple()):
        catalogue.add(entry)


def _siglip_2() -> list[ModelEntry]:
    base = "timm/ViT-B-16-SigLIP2"
    large = "timm/ViT-SO400M-16-SigLIP2-384"
    return [
        open_clip_tag_model(
            "siglip2",
            "SigLIP 2 B/16, a general reference",
            OpenClipTag("ViT-B-16-SigLIP2", "webli", base, tokenizer=base),
            licence=_APACHE,
        ),
        open_clip_tag_model(
            "siglip2-so400m",
            "SigLIP 2 SO400M/16 of 384 pixels, a general reference",
            OpenClipTag("ViT-SO400M-16-SigLIP2-384", "webli", large, tokenizer=large),
            licence=_APACHE,
        ),
    ]


def _meta() -> list[ModelEntry]:
    return [
        open_clip_tag_model(
            "metaclip2",
            "MetaCLIP 2 H/14, a general reference in many languages",
            OpenClipTag(
                # The name without `-quickgelu` is the same network with another activation.
                "ViT-H-14-worldwide-quickgelu",
                "metaclip2_worldwide",
                "timm/vit_huge_patch14_clip_224.metaclip2_worldwide",
                tokenizer="facebook/xlm-v-base",
            ),
            licence=_NON_COMMERCIAL,
        ),
        open_clip_tag_model(
            "pe-core",
            "Perception Encoder (core) B/16, a general reference",
            OpenClipTag("PE-Core-B-16", "meta", "timm/PE-Core-B-16"),
            licence=_APACHE,
        ),
        open_clip_tag_model(
            "pe-core-l",
            "Perception Encoder (core) L/14 of 336 pixels, a general reference",
            OpenClipTag("PE-Core-L-14-336", "meta", "timm/PE-Core-L-14-336"),
            licence=_APACHE,
        ),
    ]


def _apple() -> list[ModelEntry]:
    return [
        open_clip_tag_model(
            "mobileclip2",
            "MobileCLIP2 S0, a small general reference",
            OpenClipTag("MobileCLIP2-S0", "dfndr2b", "timm/MobileCLIP2-S0-OpenCLIP"),
            licence=_APPLE,
        ),
        open_clip_tag_model(
            "mobileclip2-b",
            "MobileCLIP2 B, a general reference",
            OpenClipTag("MobileCLIP2-B", "dfndr2b", "timm/MobileCLIP2-B-OpenCLIP"),
            licence=_APPLE,
        ),
    ]
