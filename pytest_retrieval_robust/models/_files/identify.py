"""What a checkpoint looks like, from its keys and shapes.

For messages that say more than "keys are missing".
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

# The first sign that begins any of the keys decides; training code may have put
# something before it.
_SIGNS = (
    ("vision_model.model.conv1.weight", "MedCLIP with ResNet-50 (medclip)"),
    ("vision_model.projection_head.weight", "MedCLIP with Swin (medclip-vit)"),
    ("image_encoder.resnet.conv1.weight", "CXR-CLIP with ResNet-50 (cxr-clip)"),
    ("image_encoder.image_encoder.", "CXR-CLIP with Swin (cxr-clip)"),
    ("image_encoder.model.blocks.", "CheXficient (chexficient)"),
    ("gloria.img_encoder.", "GLoRIA (gloria)"),
    ("img_enc.backbone.", "MedProbCLIP (medprobclip)"),
    ("encoder.backbone_to_vit.weight", "the image side of BioViL-T (biovil-t)"),
    ("encoder.encoder.conv1.weight", "the image side of BioViL (biovil)"),
    ("cls_projection_head.dense_to_hidden.weight", "CXR-BERT, the text side of BioViL"),
    ("lora_vit.", "RobustMedCLIP, an adapted BiomedCLIP"),
    ("visual_head.2.weight", "KEEP (keep)"),
    ("visual.blocks.0.gamma_1", "DermLIP with PanDerm's tower (dermlip-panderm)"),
    (
        "text.transformer.embeddings.tok_embeddings.weight",
        "BMC-LongCLIP (bmc-longclip)",
    ),
    (
        "visual.trunk.",
        (
            "an open_clip model with a timm image tower (open_clip:ARCH/TAG,"
            " local-dir:FOLDER)"
        ),
    ),
    (
        "vision_model.embeddings.patch_embedding.weight",
        "a transformers CLIP or SigLIP (local-dir:FOLDER)",
    ),
)


def looks_like(tensors: Mapping[str, Tensor]) -> str:
    """A phrase such as "MedCLIP with ResNet-50 (medclip)"; the first keys if none fits."""
    for sign, phrase in _SIGNS:
        if any(f".{sign}" in f".{key}" for key in tensors):
            return phrase
    # Many systems share OpenAI's keys: the shape says more than a name could.
    kernel = tensors.get("visual.conv1.weight")
    if kernel is not None and kernel.ndim == 4 and "token_embedding.weight" in tensors:
        return (
            f"OpenAI's key layout of CLIP, ViT of width {kernel.shape[0]} with"
            f" {kernel.shape[-1]}-pixel patches"
        )
    first_keys = ", ".join(sorted(tensors)[:3]) or "none"
    return f"nothing known here (its first keys: {first_keys})"
