"""Keys of stored embeddings: the same key always means the same numbers.

A key is made of everything that the numbers follow from: the model's declared identity
and what it makes of fixed pictures and sentences, the code of this package, the versions
of libraries, the kind of device, the images' own bytes, and what the occluder or
corruption looks at. A change of any of them changes the key, so nothing ever has to be
invalidated.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ...core.cases import Cell, Json
from ...core.device import one_thread
from ...core.errors import ModelError
from ...core.foreign import FOREIGN
from .identity import ModelIdentity
from .probing import SENTENCES, VOCABULARY, pictures
from .source_code import UnknownCodeError, code_of, digest_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from ...datasets import RetrievalDataset
    from ...models import DualEncoder
    from ..sweep.changes import ImageChange

_PACKAGE = Path(__file__).parents[2]
# Whatever of this package bears on embeddings. A test compares these with what they import.
_FOLDERS = (
    "models",
    "datasets",
    "occluders",
    "corruptions",
    "measure/sweep",
    "measure/embeddings",
)
_MODULES = (
    "core/calling.py",
    "core/downloads.py",
    "core/encoding.py",
    "core/float32.py",
    "core/fresh.py",
    "core/host_memory.py",
    "core/memory.py",
    "core/normalisation.py",
    "core/rows.py",
    "core/shared_change.py",
    "core/uploads.py",
    "measure/abilities.py",
)
_LIBRARIES = (
    "torch",
    "torchvision",
    "transformers",
    "open_clip_torch",
    "timm",
    "tokenizers",
    "sentencepiece",
    "ftfy",
    "numpy",
    "pillow",
    "pillow-simd",
    "pydicom",
    "pylibjpeg",
    "pylibjpeg-libjpeg",
    "pylibjpeg-openjpeg",
    "python-gdcm",
    "triton",
    "onnxruntime",
    "onnxruntime-gpu",
    # Torch brings these, but they can be upgraded beside it.
    "nvidia-cudnn-cu11",
    "nvidia-cudnn-cu12",
    "nvidia-cudnn-cu13",
    "nvidia-cudnn",
    "nvidia-nvjpeg-cu12",
    "nvidia-nvjpeg-cu13",
    "nvidia-nvjpeg",
    "nvidia-cublas-cu11",
    "nvidia-cublas-cu12",
    "nvidia-cublas-cu13",
    "nvidia-cublas",
)
_CODECS = ("jpg", "jpg_2000", "zlib", "libtiff", "webp", "avif")
"""Pillow's decoders. It may load another library than the one it was built with."""
_NOT_OF_THE_WEIGHTS = ("source", "licence", "terms")
"""Fields of a model's card that no number follows from."""
_ENCODED_PICTURES = 2
"""How many of the fixed pictures are encoded: the first two, one in colour and one grey."""


def key_of(*parts: bytes) -> str:
    """A key of 40 hex digits."""
    digest = hashlib.blake2b(digest_size=20)
    for part in parts:
        # With their lengths, so that no other parts join to the same bytes.
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def model_identity(
    model: DualEncoder, precision: str, decoding: str = "host"
) -> ModelIdentity | None:
    """What a model's embeddings follow from; None if that is not known.

    `decoding` says where JPEGs are decoded, on the `host` or on the `device`.

    Without a hash of its weights a model's embeddings are never stored.
    """
    if model.card.sha256 is None:
        return None
    try:
        code = _package_code() + code_of(model)
        return _identity_with(model, precision, decoding, code)
    except FOREIGN:
        # The encoder refuses the fixed inputs, or its code has no file.
        return None


def likeness(
    model: DualEncoder, precision: str, decoding: str = "host"
) -> ModelIdentity:
    """All that is known of what a model's embeddings follow from, for a comparison.

    Nothing may be stored by it: weights without a hash may be others, of which fixed
    pictures and sentences show nothing.
    """
    code = _package_code()
    try:
        code += code_of(model)
    except FOREIGN:
        # Typed in a console, for one.
        code += b"unknown"
    try:
        return _identity_with(model, precision, decoding, code)
    except FOREIGN:
        return machine_identity(model.device)


def _identity_with(
    model: DualEncoder, precision: str, decoding: str, code: bytes
) -> ModelIdentity:
    with one_thread(model.device):
        behaviour = _behaviour(model)
    card = {
        name: value
        for name, value in model.card.as_json().items()
        if name not in _NOT_OF_THE_WEIGHTS
    }
    declared = {
        "card": card,
        "precision": precision,
        "decoding": decoding,
        "device": device_kind(model.device),
        "libraries": library_versions(),
    }
    return ModelIdentity(declared, behaviour.prepared, behaviour.rows, code)


def machine_identity(device: str) -> ModelIdentity:
    """What embeddings of any model follow from on this machine: its kind of device,
    libraries, and the code of this package.
    """
    declared = {"device": device_kind(device), "libraries": library_versions()}
    return ModelIdentity(declared, b"", {}, _package_code())


def change_identity(change: ImageChange, cell: Cell) -> bytes:
    """What an occluder or a corruption does in a cell, apart from the inputs it declares."""
    kind = type(change).__qualname__
    parts = [kind, change.name, cell.level, cell.seed]
    # Occlusions keep the keys that they had before there were other families.
    if cell.family != "occlusion":
        parts.append(cell.family)
    return json.dumps(parts).encode()


def dataset_identity(dataset: RetrievalDataset) -> bytes | None:
    """What makes pixels of an image's stored bytes; None if the data set cannot know them.

    A class that has an `image` of its own and inherits `content_digest` does not know
    the content of what it makes itself.
    """
    maker = _defining_class(dataset, "image")
    if maker is None or maker is not _defining_class(dataset, "content_digest"):
        return None
    try:
        return code_of(type(dataset))
    except (UnknownCodeError, OSError):
        return None


def _defining_class(value: object, method: str) -> type | None:
    """The class of an object, or the base of it, that defines a method."""
    for kind in type(value).__mro__:
        if method in vars(kind):
            return kind
    return None


def texts_key(model: bytes, texts: Sequence[str]) -> str:
    """The key of the embeddings of a batch of reports."""
    return key_of(b"reports", model, *(_encoded(text) for text in texts))


def batch_key(
    model: bytes, occlusion: bytes, images: Iterable[tuple[str, bytes]]
) -> str:
    """The key of a batch under an occlusion: ids and content digests of its images, in order."""
    parts = []
    for image_id, content in images:
        parts += [_encoded(image_id), content]
    return key_of(b"images", model, occlusion, *parts)


def _encoded(text: str) -> bytes:
    """A text as bytes, also one that is no valid Unicode."""
    return text.encode("utf-8", "surrogatepass")


class _Behaviour(NamedTuple):
    prepared: bytes
    """A digest of the fixed pictures as the model prepares them."""
    rows: Mapping[str, NDArray[np.float32]]
    """(B, D) what it makes of fixed inputs, by their kind."""


def _behaviour(model: DualEncoder) -> _Behaviour:
    """What the model makes of fixed pictures and sentences.

    It changes with what the card does not state, such as a tokenizer's file or the
    user's own preprocessing. `UnknownCodeError` if it takes none of the pictures.
    """
    import torch

    from ...core.calling import encode_images, encode_reports
    from ...core.encoding import prepare_image, unit_scale

    digest = hashlib.sha256()
    rows: dict[str, NDArray[np.float32]] = {}
    with torch.no_grad():
        for number, picture in enumerate(pictures()):
            try:
                prepared = prepare_image(model, picture)
            except ModelError:
                # Of a kind that the model does not take.
                digest.update(b"refused")
                continue
            digest.update(prepared.pixels.tobytes())
            digest.update(repr(tuple(prepared.frame)).encode())
            if len(rows) < _ENCODED_PICTURES:
                pixels = unit_scale(prepared.pixels[None], model.device)
                encoded = encode_images(model, pixels).rows
                rows[f"picture {number}"] = _on_host(encoded)
        if not rows:
            raise UnknownCodeError
        rows["sentences"] = _on_host(encode_reports(model, SENTENCES).rows)
        # Such as a model that does not cut long texts refuses these.
        with suppress(ModelError):
            rows["vocabulary"] = _on_host(encode_reports(model, VOCABULARY).rows)
    return _Behaviour(digest.digest(), rows)


def _on_host(rows: Tensor) -> NDArray[np.float32]:
    host: NDArray[np.float32] = rows.cpu().numpy()
    return host


def device_kind(device: str) -> str:
    """The kind of device whose rounding is its own: `cpu AVX2`, or a GPU by its name."""
    import torch

    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    # Processors of another kind add up in another order.
    return f"{device} {torch.backends.cpu.get_cpu_capability()}"


@cache
def library_versions() -> Json:
    """The versions of all that bears on embeddings; None for what is not installed."""
    import torch
    from PIL import features

    versions: Json = {
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "cuda": torch.version.cuda,
        "hip": torch.version.hip,
    }
    for library in _LIBRARIES:
        try:
            versions[library] = version(library)
        except PackageNotFoundError:
            versions[library] = None
    supported = features.get_supported()
    for codec in _CODECS:
        if codec in supported:
            versions[codec] = features.version(codec)
    return versions


@cache
def _package_code() -> bytes:
    """A digest of the package's own code that bears on embeddings."""
    return digest_of(package_files())


def package_files() -> list[Path]:
    """The package's own files that bear on embeddings, always in the same order."""
    files: list[Path] = []
    for folder in _FOLDERS:
        files += sorted((_PACKAGE / folder).rglob("*.py"))
    return [*files, *(_PACKAGE / module for module in _MODULES)]
