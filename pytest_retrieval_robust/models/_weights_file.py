"""Checkpoint files as torch, safetensors, zip and tar hold them, read without running anything that is in them."""

from __future__ import annotations

import ctypes
import mmap
import pickle
import re
import shutil
import sys
import tarfile
import tempfile
import warnings
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ..errors import ModelError, NotOnThisMachineError
from ._checkpoint import sha256_of, weight_files

_WEIGHT_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".tar")
_DAMAGED = (RuntimeError, EOFError, OSError, ValueError, KeyError, IndexError, zipfile.BadZipFile, tarfile.TarError)

# Settings, metrics and callbacks that published checkpoints pickle beside their weights. They are given classes that
# hold nothing, so that the tensors can be read with `weights_only=True` and none of these libraries is needed.
_INERT_NAMES = (
    *(f"omegaconf.{name}" for name in ("dictconfig.DictConfig", "listconfig.ListConfig")),
    *(f"omegaconf.base.{name}" for name in ("ContainerMetadata", "Metadata", "Container", "Node", "SCMode")),
    *(
        f"omegaconf.nodes.{kind}Node"
        for kind in ("Any", "Boolean", "Bytes", "Enum", "Float", "Integer", "InterpolationResult", "Path", "String")
    ),
    "typing.Any",
    *(
        f"pytorch_lightning.callbacks.{name}"
        for name in (
            "model_checkpoint.ModelCheckpoint",
            "early_stopping.EarlyStopping",
            "lr_monitor.LearningRateMonitor",
        )
    ),
    "pytorch_lightning.utilities.parsing.AttributeDict",
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("scalar", "_reconstruct")),
    *("numpy.dtype", "numpy.ndarray", "_codecs.encode"),
    *("argparse.Namespace", "pathlib.PosixPath", "pathlib.WindowsPath"),
)


class _Inert:
    """Stands for an object of a library that is not needed: it keeps nothing that it is given."""

    def __new__(cls, *_: object, **__: object) -> _Inert:
        return object.__new__(cls)

    def __init__(self, *_: object, **__: object) -> None: ...

    def __setstate__(self, _: object) -> None: ...


_ALLOWED: list[Any] = [
    *((type(name.rpartition(".")[2], (_Inert,), {}), name) for name in _INERT_NAMES),
    *(defaultdict, dict, list, int),
]


_STATE_KEYS = ("model", "state_dict", "model_state_dict")


@dataclass(frozen=True)
class WeightsFile:
    """What a checkpoint file holds, and the hash of the file."""

    content: Mapping[str, Any]
    sha256: str
    mapped: bool

    def take(self, tensor: Tensor) -> Tensor:
        """A float32 copy of a tensor of the file (integers as they are), which outlives it.

        The pages of a mapped file are given back to the system at once: else the weights would be held twice while
        a model is filled from them.
        """
        copy = tensor.to(torch.float32 if tensor.is_floating_point() else tensor.dtype, copy=True)
        if self.mapped:
            _give_back(tensor.untyped_storage())
        return copy


def _give_back(storage: torch.UntypedStorage) -> None:
    # Only for storages of a private, read-only mapping: elsewhere this would empty the memory.
    start = -(-storage.data_ptr() // mmap.PAGESIZE) * mmap.PAGESIZE
    end = (storage.data_ptr() + storage.nbytes()) // mmap.PAGESIZE * mmap.PAGESIZE
    if sys.platform == "linux" and end > start:
        madvise = ctypes.CDLL(None).madvise
        madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        madvise(start, end - start, mmap.MADV_DONTNEED)


@contextmanager
def read_weights(name: str, path: Path) -> Iterator[WeightsFile]:
    """Read a checkpoint file, a folder with one, or a zip or tar with one; nothing of it is executed.

    Tensors may be views of the file: what outlives the `with` must be a copy (`WeightsFile.take`).

    Raises `NotOnThisMachineError` where there is no such file, and `ModelError` for a damaged one, for a pickle that
    asks for more than tensors and plain values, and for an archive that holds no weights or several.
    """
    file = _file_at(name, path)
    with ThreadPoolExecutor(1) as beside:
        hashed = beside.submit(sha256_of, [file])
        with _unpacked(name, file) as inner:
            content, mapped = _content(name, file, inner)
            yield WeightsFile(content, hashed.result() or "", mapped)


def _file_at(name: str, path: Path) -> Path:
    if path.is_dir():
        files = weight_files(path)
        if len(files) == 1:
            return files[0]
        raise ModelError(
            f"Expected a folder with one weights file for {name}, got checkpoint={path.name!r} with {len(files)} "
            "(model.safetensors, pytorch_model.bin). Name the file itself."
        )
    if not path.is_file():
        raise NotOnThisMachineError(
            f"Expected a checkpoint file for {name}, got checkpoint={str(path)!r}, which is not there. "
            "Mend the path or copy the file to it."
        )
    return path


@contextmanager
def _unpacked(name: str, file: Path) -> Iterator[Path]:
    """The file, or the one weights file of a zip or tar, copied to a temporary folder under a name of our own."""
    member = _member_of(name, file)
    if member is None:
        yield file
        return
    suffix, copy_to = member
    with tempfile.TemporaryDirectory() as folder:
        inner = Path(folder) / f"weights{suffix}"
        try:
            with inner.open("wb") as target:
                copy_to(target)
        except (*_DAMAGED, zlib.error) as error:
            raise _damaged(name, file, error) from error
        yield inner


def _member_of(name: str, file: Path) -> tuple[str, Callable[[IO[bytes]], None]] | None:
    """How to copy the one weights file of an archive, or None where the file is no archive (or torch's own zip)."""
    if _is_zip(file) and zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
        if any(PurePosixPath(entry).name in ("data.pkl", "constants.pkl") for entry in names):
            return None
        chosen = _only_weights(name, file, names)
        return PurePosixPath(chosen).suffix, partial(_copy_from_zip, file, chosen)
    if tarfile.is_tarfile(file):
        with tarfile.open(file) as tar:
            names = [entry.name for entry in tar.getmembers() if entry.isfile()]
        if not names or {"pickle", "storages"} <= {*names}:  # a file of zeros; the oldest of torch's formats
            return None
        chosen = _only_weights(name, file, names)
        return PurePosixPath(chosen).suffix, partial(_copy_from_tar, file, chosen)
    return None


def _is_zip(file: Path) -> bool:
    # By its first bytes: a tar that holds a zip ends like one.
    with file.open("rb") as stream:
        return stream.read(4) == b"PK\x03\x04"


def _only_weights(name: str, file: Path, members: list[str]) -> str:
    found = [member for member in members if PurePosixPath(member).suffix in _WEIGHT_SUFFIXES]
    if len(found) != 1:
        raise ModelError(
            f"Expected an archive with one weights file for {name}, got {file.name} with {len(found)} of "
            f"{len(members)} members ({', '.join(_WEIGHT_SUFFIXES)}). Unpack it and name the file."
        )
    return found[0]


def _copy_from_zip(file: Path, member: str, target: IO[bytes]) -> None:
    with zipfile.ZipFile(file) as archive, archive.open(member) as source:
        shutil.copyfileobj(source, target, 1 << 20)


def _copy_from_tar(file: Path, member: str, target: IO[bytes]) -> None:
    with tarfile.open(file) as tar:
        source = tar.extractfile(member)
        assert source is not None  # a regular file, by the listing
        shutil.copyfileobj(source, target, 1 << 20)


def _content(name: str, file: Path, inner: Path) -> tuple[Mapping[str, Any], bool]:
    """The tensors and plain values of a weights file, and whether they are views of it."""
    try:
        if inner.suffix == ".safetensors":
            return load_file(inner), False
        content, mapped = _unpickled(inner)
    except pickle.UnpicklingError as error:
        raise _refused(name, file, error) from error
    except (*_DAMAGED, SafetensorError) as error:
        if "TorchScript" in str(error):
            raise _torchscript(name, file) from error
        raise _damaged(name, file, error) from error
    if not isinstance(content, Mapping):
        raise ModelError(
            f"Expected a dictionary of weights in {file.name} for {name}, got a {type(content).__name__}. "
            "Save the model's state_dict with torch.save."
        )
    return content, mapped


def _unpickled(inner: Path) -> tuple[Any, bool]:
    mapped = _is_zip(inner)  # files of torch before 1.6 are not, and cannot be mapped
    with torch.serialization.safe_globals(_ALLOWED), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.load(inner, map_location="cpu", weights_only=True, mmap=mapped), mapped


def _refused(name: str, file: Path, error: Exception) -> ModelError:
    asked = re.search(r"(?:GLOBAL|class) ([\w.]+)", str(error))
    what = f"asks for {asked[1]}" if asked else "asks for more than tensors and plain values"
    return ModelError(
        f"Expected weights alone in {file.name} for {name}, got a pickle that {what}: reading it could run its code, "
        "so it is refused. Where it was made, save torch.save(model.state_dict(), FILE) or a safetensors file."
    )


def _torchscript(name: str, file: Path) -> ModelError:
    return ModelError(
        f"Expected a state dict in {file.name} for {name}, got a TorchScript archive, which holds code. OpenAI's "
        "weights are to be had as hf:openai/clip-vit-base-patch32 or open_clip:ViT-B-32-quickgelu/openai."
    )


def _damaged(name: str, file: Path, error: Exception) -> ModelError:
    first_line = (str(error).strip().splitlines() or [""])[0][:200]
    return ModelError(
        f"Expected a whole weights file for {name}, got {file.name} of {file.stat().st_size} bytes that cannot be "
        f"read ({type(error).__name__}: {first_line}). It may be a truncated download: fetch it again and compare "
        "its size and sha256 with the publisher's."
    )


def weights_in(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """The state dict of a file: flat, or under the key that training code keeps it by."""
    for key in _STATE_KEYS:
        held = content.get(key)
        if isinstance(held, Mapping) and any(isinstance(value, torch.Tensor) for value in held.values()):
            return weights_in(held)
    return {key: value for key, value in content.items() if isinstance(value, torch.Tensor)}
