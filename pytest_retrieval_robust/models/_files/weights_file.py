"""Checkpoint files as torch, safetensors, zip and tar hold them, read without running
anything that is in them.
"""

from __future__ import annotations

import bz2
import ctypes
import errno
import gzip
import lzma
import mmap
import pickle
import re
import sys
import tarfile
import tempfile
import warnings
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from ...errors import ModelError, NotOnThisMachineError
from ...files import TooLargeError, is_regular
from ...foreign import described
from .attempt import attempt, shown_path
from .bounded import Bounded, copy_at_most
from .checkpoint import sha256_of, weight_files

_WEIGHT_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".tar")
_MOST_EXPANSION = 32
"""How many times its own size a compressed checkpoint may unpack to.

Weights hardly compress; a bomb is 1,000 times.
"""
_LEAST_LIMIT = 1 << 28
"""Bytes that any archive may unpack to."""
_COMPRESSED: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
"""How a compressed tar is opened, by its first bytes."""

# Settings, metrics and callbacks that published checkpoints pickle beside their
# weights. They are given classes that hold nothing, so that the tensors can be read
# with `weights_only=True` and none of these libraries is needed.
_INERT_NAMES = (
    *(
        f"omegaconf.{name}"
        for name in ("dictconfig.DictConfig", "listconfig.ListConfig")
    ),
    *(
        f"omegaconf.base.{name}"
        for name in ("ContainerMetadata", "Metadata", "Container", "Node", "SCMode")
    ),
    *(
        f"omegaconf.nodes.{kind}Node"
        for kind in (
            "Any",
            "Boolean",
            "Bytes",
            "Enum",
            "Float",
            "Integer",
            "InterpolationResult",
            "Path",
            "String",
        )
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
    *(
        f"numpy.{core}.multiarray.{name}"
        for core in ("core", "_core")
        for name in ("scalar", "_reconstruct")
    ),
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


_MOST_NESTED = 4
_OPTIMISER = "optim"
_STATE_KEYS = ("model", "state_dict", "model_state_dict")


@dataclass(frozen=True)
class WeightsFile:
    """What a checkpoint file holds, and the hash of the file."""

    content: Mapping[str, Any] = field(repr=False)
    sha256: str
    mapped: bool

    def take(self, tensor: Tensor) -> Tensor:
        """A float32 copy of a tensor of the file (integers as they are), which outlives it.

        The pages of a mapped file are given back to the system at once: else the
        weights would be held twice while a model is filled from them.
        """
        copy = tensor.to(
            torch.float32 if tensor.is_floating_point() else tensor.dtype, copy=True
        )
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
    """Read a checkpoint file, a folder with one, or a zip or tar with one; nothing of
    it is executed.

    Tensors may be views of the file: what outlives the `with` must be a copy (`WeightsFile.take`).

    Raises `NotOnThisMachineError` where there is no such file, and `ModelError` for a
    damaged one, for one that is no regular file, for a pickle that asks for more than
    tensors and plain values, and for an archive that holds no weights, or several, or
    unpacks to far more than weights do.
    """
    file = _file_at(name, path)
    with ThreadPoolExecutor(1) as beside:
        hashed = beside.submit(sha256_of, [file])
        with _unpacked(name, file) as inner:
            content, mapped = _content(name, file, inner)
            sha256 = attempt(hashed.result, partial(_damaged, name, file))
            yield WeightsFile(content, sha256 or "", mapped)


def _file_at(name: str, path: Path) -> Path:
    if path.is_dir():
        files = weight_files(path)
        if len(files) != 1:
            raise ModelError(
                f"Expected a folder with one weights file for {name}, got"
                f" checkpoint={path.name!r} with {len(files)} (model.safetensors,"
                " pytorch_model.bin). Name the file itself."
            )
        path = files[0]
    if not path.exists():
        raise NotOnThisMachineError(
            f"Expected a checkpoint file for {name}, got"
            f" checkpoint={shown_path(path)!r}, which is not there. Fix the path or"
            " copy the file to it."
        )
    if not is_regular(path):
        raise ModelError(
            f"Expected a regular file for {name}, got checkpoint={shown_path(path)!r},"
            " which is a FIFO, a device or a socket. Name the file of weights itself."
        )
    return path


@contextmanager
def _unpacked(name: str, file: Path) -> Iterator[Path]:
    """The file, or the one weights file of a zip or tar, copied to a temporary folder
    under a name of our own.
    """
    explain = partial(_damaged, name, file)
    member = attempt(lambda: _member_of(name, file), explain)
    if member is None:
        yield file
        return
    suffix, copy_to = member
    with tempfile.TemporaryDirectory() as folder:
        inner = Path(folder) / f"weights{suffix}"
        attempt(lambda: _write(inner, copy_to), explain)
        yield inner


def _write(inner: Path, copy_to: Callable[[IO[bytes]], None]) -> None:
    with inner.open("wb") as target:
        copy_to(target)


def _member_of(name: str, file: Path) -> tuple[str, Callable[[IO[bytes]], None]] | None:
    """How to copy the one weights file of an archive, or None where the file is no
    archive (or torch's own zip).
    """
    if _is_zip(file) and zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        names = [entry.filename for entry in entries]
        if any(
            PurePosixPath(entry).name in ("data.pkl", "constants.pkl")
            for entry in names
        ):
            _require_as_torch_stores(file, entries)
            return None
        chosen = _only_weights(name, file, names)
        return PurePosixPath(chosen).suffix, partial(_copy_from_zip, file, chosen)
    if _is_tar(file):
        with _opened_tar(file) as tar:
            names = [entry.name for entry in tar if entry.isfile()]
        if not names or {"pickle", "storages"} <= {
            *names
        }:  # a file of zeros; the oldest of torch's formats
            return None
        chosen = _only_weights(name, file, names)
        return PurePosixPath(chosen).suffix, partial(_copy_from_tar, file, chosen)
    return None


def _require_as_torch_stores(file: Path, entries: list[zipfile.ZipInfo]) -> None:
    """torch never compresses what it stores, but would unpack into memory whatever a
    compressed entry declares.
    """
    packed = sum(
        entry.file_size
        for entry in entries
        if entry.compress_type != zipfile.ZIP_STORED
    )
    if packed > limit_of(file):
        raise TooLargeError(f"{packed} bytes")
    if any(
        entry.file_size > file.stat().st_size
        for entry in entries
        if entry.compress_type == zipfile.ZIP_STORED
    ):
        raise zipfile.BadZipFile("an entry that is larger than its file")


def limit_of(file: Path) -> int:
    """Bytes that an archive may unpack to."""
    return max(_LEAST_LIMIT, _MOST_EXPANSION * file.stat().st_size)


def _is_zip(file: Path) -> bool:
    # By its first bytes: a tar that holds a zip ends like one.
    with file.open("rb") as stream:
        return stream.read(4) == b"PK\x03\x04"


def _only_weights(name: str, file: Path, members: list[str]) -> str:
    found = [
        member for member in members if PurePosixPath(member).suffix in _WEIGHT_SUFFIXES
    ]
    if len(found) != 1:
        raise ModelError(
            f"Expected an archive with one weights file for {name}, got {file.name}"
            f" with {len(found)} of {len(members)} members"
            f" ({', '.join(_WEIGHT_SUFFIXES)}). Unpack it and name the file."
        )
    return found[0]


def _copy_from_zip(file: Path, member: str, target: IO[bytes]) -> None:
    with zipfile.ZipFile(file) as archive, archive.open(member) as source:
        copy_at_most(source, target, limit_of(file))


def _copy_from_tar(file: Path, member: str, target: IO[bytes]) -> None:
    with _opened_tar(file) as tar:
        # In the order of the file: a compressed stream cannot go back.
        entry = next(entry for entry in tar if entry.name == member and entry.isfile())
        source = tar.extractfile(entry)
        assert source is not None  # a regular file, by the line before
        copy_at_most(source, target, limit_of(file))


def _is_tar(file: Path) -> bool:
    try:
        with _opened_tar(file):
            return True
    except (tarfile.ReadError, EOFError, gzip.BadGzipFile, lzma.LZMAError):
        return False


@contextmanager
def _opened_tar(file: Path) -> Iterator[tarfile.TarFile]:
    """A tar to be read from its beginning to its end; a compressed one unpacks to a limit."""
    with file.open("rb") as stream:
        start = stream.read(8)
    opener = next(
        (opener for sign, opener in _COMPRESSED.items() if start.startswith(sign)), None
    )
    if opener is None:
        with tarfile.open(file, "r:") as tar:
            yield tar
        return
    with opener(file) as plain:
        bounded: Any = Bounded(plain, limit_of(file))
        with tarfile.open(fileobj=bounded, mode="r|") as tar:
            yield tar


def _content(name: str, file: Path, inner: Path) -> tuple[Mapping[str, Any], bool]:
    """The tensors and plain values of a weights file, and whether they are views of it."""
    content, mapped = attempt(
        lambda: _loaded(inner), partial(unreadable_weights, name, file)
    )
    if not isinstance(content, Mapping):
        raise ModelError(
            f"Expected a dictionary of weights in {file.name} for {name}, got a"
            f" {type(content).__name__}. Save the model's state_dict with torch.save."
        )
    return content, mapped


def _loaded(inner: Path) -> tuple[Any, bool]:
    if inner.suffix == ".safetensors":
        return load_file(inner), False
    return _unpickled(inner)


def unreadable_weights(name: str, file: Path, error: BaseException) -> ModelError:
    """The error of a weights file that a library could not read: refused code, or damage."""
    if isinstance(error, pickle.UnpicklingError):
        return _refused(name, file, error)
    if "TorchScript" in str(error):
        return _torchscript(name, file)
    return _damaged(name, file, error)


def _unpickled(inner: Path) -> tuple[Any, bool]:
    mapped = _is_zip(inner)  # files of torch before 1.6 are not, and cannot be mapped
    with torch.serialization.safe_globals(_ALLOWED), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return (
            torch.load(inner, map_location="cpu", weights_only=True, mmap=mapped),
            mapped,
        )


def _refused(name: str, file: Path, error: BaseException) -> ModelError:
    asked = re.search(r"(?:GLOBAL|class) ([\w.]{1,80})", str(error))
    what = (
        f"asks for {asked[1]}"
        if asked
        else "asks for more than tensors and plain values"
    )
    return ModelError(
        f"Expected weights alone in {file.name} for {name}, got a pickle that {what}:"
        " reading it could run its code, so it is refused. Where it was made, save"
        " torch.save(model.state_dict(), FILE) or a safetensors file."
    )


def _torchscript(name: str, file: Path) -> ModelError:
    return ModelError(
        f"Expected a state dict in {file.name} for {name}, got a TorchScript archive,"
        " which holds code. OpenAI's weights are to be had as"
        " hf:openai/clip-vit-base-patch32 or open_clip:ViT-B-32-quickgelu/openai."
    )


def _damaged(name: str, file: Path, error: BaseException) -> ModelError:
    size = file.stat().st_size
    if isinstance(error, TooLargeError):
        return ModelError(
            f"Expected weights of {name} that unpack to at most {limit_of(file)} bytes,"
            f" got {file.name} of {size} bytes, which unpacks to more. If it can be"
            " trusted, unpack it yourself and name the weights file."
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ModelError(
            f"Expected room in the temporary folder to unpack {file.name} for {name},"
            " got a full disk. Set TMPDIR to a folder with room, or unpack the file"
            " yourself and name the weights file."
        )
    return ModelError(
        f"Expected a whole weights file for {name}, got {file.name} of {size} bytes"
        f" that cannot be read: {described(error)}. It may be a truncated download:"
        " fetch it again and compare its size and sha256 with the publisher's."
    )


def weights_in(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """The state dict of a file: flat, or under the key that training code keeps it by."""
    held = _state_dict(content, _MOST_NESTED) or {}
    return {
        key: value
        for key, value in held.items()
        if isinstance(key, str) and isinstance(value, torch.Tensor)
    }


def _state_dict(content: Mapping[str, Any], levels: int) -> Mapping[str, Any] | None:
    """The mapping that holds the tensors, down to so many levels; None where it cannot be told."""
    if levels == 0:
        return None
    for key in _STATE_KEYS:
        held = content.get(key)
        found = _state_dict(held, levels - 1) if isinstance(held, Mapping) else None
        if found is not None:
            return found
    if _holds_tensors(content):
        return content
    others = [
        value
        for key, value in content.items()
        if isinstance(value, Mapping)
        and not str(key).startswith(_OPTIMISER)
        and _holds_tensors(value)
    ]
    return others[0] if len(others) == 1 else None


def _holds_tensors(content: Mapping[str, Any]) -> bool:
    return any(isinstance(value, torch.Tensor) for value in content.values())
