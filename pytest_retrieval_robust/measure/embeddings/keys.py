"""What stored embeddings follow from, as keys: the same key means the same numbers, or
it must not be given.

A key takes in the model's declared identity and what it makes of a fixed picture and
fixed sentences, the code of this package and the versions of the libraries that bear on
the numbers, the kind of device, the images' own bytes, and what the occluder looks at.
Whatever changes, changes the key: nothing ever has to be invalidated.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.cases import Json
from ...core.errors import ModelError
from ...core.foreign import FOREIGN
from .probing import SENTENCES, VOCABULARY, pictures
from .source_code import UnknownCodeError, code_of, digest_of

if TYPE_CHECKING:
    from ...datasets import RetrievalDataset
    from ...models import DualEncoder
    from ...occluders import Occluder

_PACKAGE = Path(__file__).parents[2]
_FOLDERS = (
    "models",
    "datasets",
    "occluders",
    "measure/sweep",
    "measure/embeddings",
)
_MODULES = (
    "core/calling.py",
    "core/float32.py",
    "core/memory.py",
    "core/rows.py",
)
_LIBRARIES = (
    *(
        "torch",
        "torchvision",
        "transformers",
        "open_clip_torch",
        "timm",
        "tokenizers",
        "sentencepiece",
        "ftfy",
    ),
    *(
        "numpy",
        "pillow",
        "pillow-simd",
        "pydicom",
        "pylibjpeg",
        "pylibjpeg-libjpeg",
        "pylibjpeg-openjpeg",
    ),
    *("python-gdcm", "triton", "onnxruntime", "onnxruntime-gpu"),
    # Torch brings these, but they can be upgraded beside it.
    *("nvidia-cudnn-cu11", "nvidia-cudnn-cu12", "nvidia-cudnn-cu13", "nvidia-cudnn"),
    *(
        "nvidia-cublas-cu11",
        "nvidia-cublas-cu12",
        "nvidia-cublas-cu13",
        "nvidia-cublas",
    ),
)
_CODECS = ("jpg", "jpg_2000", "zlib", "libtiff", "webp", "avif")
"""Of Pillow: what decodes an image may be another library than the one that it was built with."""
_NOT_OF_THE_WEIGHTS = ("source", "licence")
_ENCODED = 2
"""Pictures that are encoded: the first two, one in colour and one grey."""


def key_of(*parts: bytes) -> str:
    """A key of 40 hex digits; parts keep their borders."""
    digest = hashlib.blake2b(digest_size=20)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def model_identity(model: DualEncoder, precision: str) -> bytes | None:
    """What the embeddings of a model follow from, or None: without a hash of its
    weights they are never stored.

    The model encodes fixed pictures and sentences, so that what its card does not tell
    (a tokenizer's file, a preprocessing of one's own) tells too.
    """
    if model.card.sha256 is None:
        return None
    try:
        behaviour, code = _behaviour(model), _package_code() + code_of(model)
    except (
        FOREIGN
    ):  # an encoder that takes only what it knows, or code of which nothing is known
        return None
    card = {
        name: value
        for name, value in model.card.as_json().items()
        if name not in _NOT_OF_THE_WEIGHTS
    }
    declared = {
        "card": card,
        "precision": precision,
        "device": _device_kind(model.device),
        "libraries": _libraries(),
    }
    return b"".join((json.dumps(declared, sort_keys=True).encode(), behaviour, code))


def occluder_identity(occluder: Occluder, level: float, seed: int) -> bytes:
    """What an occluder hides at a level with a seed, apart from what it looks at (`looked_at`)."""
    return json.dumps(
        [type(occluder).__qualname__, occluder.name, level, seed]
    ).encode()


def dataset_identity(dataset: RetrievalDataset) -> bytes | None:
    """What makes pixels of an image's stored bytes; None where the data set cannot be
    believed to know them.

    A class that has an `image` of its own and inherits `content_digest` knows nothing
    of what it makes itself.
    """
    kinds = type(dataset).__mro__
    knows, makes = (
        next((k for k in kinds if name in vars(k)), None)
        for name in ("content_digest", "image")
    )
    if knows is None or knows is not makes:
        return None
    try:
        return code_of(type(dataset))
    except (UnknownCodeError, OSError):
        return None


def texts_key(model: bytes, texts: Sequence[str]) -> str:
    """The key of the embeddings of a part of a gallery."""
    return key_of(
        b"reports", model, *(text.encode("utf-8", "surrogatepass") for text in texts)
    )


def batch_key(
    model: bytes, occlusion: bytes, images: Iterable[tuple[str, bytes]]
) -> str:
    """The key of a batch under an occlusion: ids and content digests of its images, in order."""
    words = (
        part
        for image_id, content in images
        for part in (image_id.encode("utf-8", "surrogatepass"), content)
    )
    return key_of(b"images", model, occlusion, *words)


def _behaviour(model: DualEncoder) -> bytes:
    """What the model makes of fixed pictures and sentences, so that what its card does
    not tell tells too.
    """
    import torch

    from ...core.calling import encode_images, encode_reports
    from ...occluders._scene import prepare_image, unit_scale

    digest = hashlib.sha256()
    encoded = 0
    for picture in pictures():
        try:
            prepared = prepare_image(model, picture)
        except ModelError:  # of a kind that the model does not take
            digest.update(b"refused")
            continue
        digest.update(prepared.pixels.tobytes() + repr(tuple(prepared.frame)).encode())
        if encoded < _ENCODED:
            encoded += 1
            with torch.no_grad():
                rows = encode_images(
                    model, unit_scale(prepared.pixels[None], model.device)
                ).rows
            digest.update(rows.cpu().numpy().tobytes())
    if not encoded:
        raise UnknownCodeError
    with torch.no_grad():
        digest.update(encode_reports(model, SENTENCES).rows.cpu().numpy().tobytes())
        try:
            digest.update(
                encode_reports(model, VOCABULARY).rows.cpu().numpy().tobytes()
            )
        except ModelError:  # one that does not cut long texts, for one
            digest.update(b"refused")
    return digest.digest()


def _device_kind(device: str) -> str:
    import torch

    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    # Processors of another kind add up in another order.
    return f"{device} {torch.backends.cpu.get_cpu_capability()}"


@cache
def _libraries() -> Json:
    import torch
    from PIL import features

    found: Json = {
        "python": sys.version_info[:2],
        "cuda": torch.version.cuda,
        "hip": torch.version.hip,
    }
    for library in _LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = None
    return {
        **found,
        **{
            codec: features.version(codec)
            for codec in _CODECS
            if codec in features.get_supported()
        },
    }


@cache
def _package_code() -> bytes:
    """Of the package's own code that bears on embeddings: another version of it makes
    other keys.
    """
    folders = (
        file
        for folder in _FOLDERS
        for file in sorted((_PACKAGE / folder).rglob("*.py"))
    )
    return digest_of([*folders, *(_PACKAGE / module for module in _MODULES)])
