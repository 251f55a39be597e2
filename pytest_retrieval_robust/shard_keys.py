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
from .options import LOADED

if TYPE_CHECKING:
    from .datasets import RetrievalDataset
    from .models import DualEncoder
    from .occluders import Occluder

_PACKAGE = Path(__file__).parent
_FOLDERS = ("models", "datasets", "occluders")
_MODULES = ("sweep", "feeding", "encoding", "shards", "shard_keys")
_BUILT_IN = frozenset(("builtins", "typing", "abc", "collections.abc"))
_LIBRARIES = (
    *("torch", "torchvision", "transformers", "open_clip_torch", "timm", "tokenizers", "sentencepiece", "ftfy"),
    *("numpy", "pillow", "pydicom", "pylibjpeg", "pylibjpeg-libjpeg", "pylibjpeg-openjpeg", "python-gdcm"),
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
        behaviour, code = _behaviour(model), _package_code() + own_code(type(model))
    except Exception:  # an encoder that takes only what it knows, or code of which nothing is known
        return None
    card = {name: value for name, value in model.card.as_json().items() if name not in _NOT_OF_THE_WEIGHTS}
    declared = {"card": card, "precision": precision, "device": _device_kind(model.device), "libraries": _libraries()}
    return b"".join((json.dumps(declared, sort_keys=True).encode(), behaviour, code))


def occluder_identity(occluder: Occluder, level: float, seed: int) -> bytes:
    """What an occluder hides at a level with a seed, apart from what it looks at (`looked_at`)."""
    return json.dumps([type(occluder).__qualname__, occluder.name, level, seed]).encode()


def dataset_identity(dataset: RetrievalDataset) -> bytes | None:
    """What makes pixels of an image's stored bytes; None where the data set cannot be believed to know them.

    A class that has an `image` of its own and inherits `content_digest` knows nothing of what it makes itself.
    """
    kinds = type(dataset).__mro__
    knows, makes = (next((k for k in kinds if name in vars(k)), None) for name in ("content_digest", "image"))
    if knows is None or knows is not makes:
        return None
    try:
        return own_code(type(dataset))
    except (_UnknownCodeError, OSError):
        return None


def texts_key(model: bytes, texts: Sequence[str]) -> str:
    """The key of the embeddings of a part of a gallery."""
    return key_of(b"reports", model, *(text.encode("utf-8", "surrogatepass") for text in texts))


def batch_key(model: bytes, occlusion: bytes, images: Iterable[tuple[str, bytes]]) -> str:
    """The key of a batch under an occlusion: ids and content digests of its images, in order."""
    words = (part for image_id, content in images for part in (image_id.encode("utf-8", "surrogatepass"), content))
    return key_of(b"images", model, occlusion, *words)


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
def _package_code() -> bytes:
    """Of the package's own code that bears on embeddings: another version of it makes other keys."""
    folders = (file for folder in _FOLDERS for file in sorted((_PACKAGE / folder).rglob("*.py")))
    return _digest_of([*folders, *(_PACKAGE / f"{module}.py" for module in _MODULES)])


@cache
def own_code(kind: type) -> bytes:
    """Of a class, and of the files that define it and its bases outside of this package (a conftest's).

    Raises `_UnknownCodeError` for a class without a file, such as a notebook's.
    """
    names = {base.__module__ for base in kind.__mro__ if base.__module__.partition(".")[0] != __package__}
    files = [getattr(sys.modules.get(name), "__file__", None) for name in sorted(names - _BUILT_IN)]
    return kind.__qualname__.encode() + _digest_of([None if file is None else Path(file) for file in files])


def _digest_of(files: Sequence[Path | None]) -> bytes:
    """Of code as it was loaded: a file that was changed since this process began may hold other code."""
    digest = hashlib.sha256()
    for file in files:
        if file is None or file.stat().st_mtime > LOADED:
            raise _UnknownCodeError
        digest.update(file.read_bytes() + b"\0")
    return digest.digest()


class _UnknownCodeError(Exception):
    """Code that cannot be told from other code."""
