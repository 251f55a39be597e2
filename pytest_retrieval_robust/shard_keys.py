"""What stored embeddings follow from, as keys: the same key means the same numbers, or it must not be given.

A key takes in the model's declared identity and what it makes of a fixed picture and fixed sentences, the code of this
package and the versions of the libraries that bear on the numbers, the kind of device, the images' own bytes, and what
the occluder looks at. Whatever changes, changes the key: nothing ever has to be invalidated.
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

import numpy as np

from .case import Json

if TYPE_CHECKING:
    from .models import DualEncoder
    from .occluders import Occluder

_PACKAGE = Path(__file__).parent
_LIBRARIES = (
    "torch",
    "torchvision",
    "transformers",
    "open_clip_torch",
    "timm",
    "tokenizers",
    "numpy",
    "pillow",
    "pydicom",
)
_SENTENCES = (
    "No acute cardiopulmonary process.",
    "Stable moderate cardiomegaly with small bilateral pleural effusions; a right-sided PICC ends in the lower SVC.",
    "pneumothorax? 3.2 cm nodule in the left upper lobe (new since 01/2019), atelectasis & interstitial oedema",
)
_SIDES = (240, 320)
_NOT_OF_THE_WEIGHTS = ("source", "licence")


def key_of(*parts: bytes) -> str:
    """A key of 40 hex digits; parts keep their borders."""
    digest = hashlib.blake2b(digest_size=20)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def model_identity(model: DualEncoder, precision: str) -> bytes | None:
    """What the embeddings of a model follow from, or None: without a hash of its weights they are never stored.

    The model encodes one picture and three sentences, so that what its card does not tell (a tokenizer's file, a
    preprocessing of one's own) tells too.
    """
    if model.card.sha256 is None:
        return None
    try:
        behaviour = _behaviour(model)
    except Exception:  # an encoder that takes only what it knows: then nothing is stored
        return None
    card = {name: value for name, value in model.card.as_json().items() if name not in _NOT_OF_THE_WEIGHTS}
    declared = {"card": card, "precision": precision, "device": _device_kind(model.device), "libraries": _libraries()}
    code = _code_digest("models") + _code_digest("datasets") + _own_code(type(model))
    return b"".join((json.dumps(declared, sort_keys=True).encode(), behaviour, code))


def occluder_identity(occluder: Occluder, level: float, seed: int) -> bytes:
    """What an occluder hides at a level with a seed, apart from what it looks at."""
    named = json.dumps([occluder.name, level, seed]).encode()
    return named + _code_digest("occluders") + _own_code(type(occluder))


def texts_key(model: bytes, texts: Sequence[str]) -> str:
    """The key of the embeddings of a part of a gallery."""
    return key_of(b"reports", model, *(text.encode("utf-8", "surrogatepass") for text in texts))


def batch_key(model: bytes, occlusion: bytes, skips: bool, images: Iterable[tuple[str, bytes]]) -> str:
    """The key of a batch under an occlusion: ids and content digests of its images, in order."""
    words = (part for image_id, content in images for part in (image_id.encode("utf-8", "surrogatepass"), content))
    return key_of(b"images", model, occlusion, bytes([skips]), *words)


def _behaviour(model: DualEncoder) -> bytes:
    import torch
    from PIL import Image

    from .occluders._scene import unit_scale

    noise = np.random.default_rng(0).integers(0, 256, (*_SIDES, 3), dtype=np.uint8)
    noise[: _SIDES[0] // 2] = 96  # a smooth half beside the noise
    prepared = model.prepare(Image.fromarray(noise))
    with torch.no_grad():
        image = model.encode_images(unit_scale(prepared.pixels[None], model.device))
        reports = model.encode_reports(list(_SENTENCES))
    digest = hashlib.sha256(prepared.pixels.tobytes() + repr(prepared.frame).encode())
    for rows in (image, reports):
        digest.update(rows.float().cpu().numpy().tobytes())
    return digest.digest()


def _device_kind(device: str) -> str:
    import torch

    return torch.cuda.get_device_name(device) if device.startswith("cuda") else device


@cache
def _libraries() -> Json:
    found: Json = {"python": sys.version_info[:2]}
    for library in _LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = None
    return found


@cache
def _code_digest(folder: str) -> bytes:
    """Of the package's own code in that folder: another version of it makes other keys."""
    files = sorted((_PACKAGE / folder).rglob("*.py"))
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).digest()


@cache
def _own_code(kind: type) -> bytes:
    """Of a class, and of the files that define it and its bases outside of this package (a conftest's)."""
    modules = {base.__module__ for base in kind.__mro__ if base.__module__.partition(".")[0] != __package__}
    files = (
        getattr(sys.modules.get(name), "__file__", None) for name in sorted(modules - {"builtins", "typing", "abc"})
    )
    content = (Path(file).read_bytes() for file in files if file)
    return hashlib.sha256(b"\0".join((kind.__qualname__.encode(), *content))).digest()
