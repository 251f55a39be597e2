"""Checkpoint files of torch and safetensors, read without running anything in them."""

from __future__ import annotations

import ctypes
import errno
import mmap
import pickle
import re
import sys
import tarfile
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from ...core.errors import ModelError, NotOnThisMachineError
from ...core.files import TooLargeError, is_regular
from ...core.foreign import described
from .archives import is_zip, limit_of, unpacked
from .attempt import attempt, shown_path
from .checkpoint import sha256_of, weight_files
from .pickles import ALLOWED
from .safe_globals import safe_globals

MOST_NESTED = 4
"""Levels of mappings that a state dict may lie under."""
OPTIMISER = "optim"
"""How the key of an optimiser's state begins, which has tensors too."""
_OF_TORCHSCRIPT = "/constants.pkl"
_STATE_KEYS = ("model", "state_dict", "model_state_dict")
"""Keys that training code keeps the state dict under."""


@dataclass(frozen=True)
class WeightsFile:
    """What a checkpoint file holds, and the hash of the file."""

    content: Mapping[str, Any] = field(repr=False)
    sha256: str
    mapped: bool
    """Whether tensors are views of the file."""

    def take(self, tensor: Tensor) -> Tensor:
        """A float32 copy of a tensor of the file (integers as they are), which outlives it.

        The pages of a mapped file are given back to the system at once: otherwise the
        weights would be in memory twice while a model is filled from them.
        """
        dtype = torch.float32 if tensor.is_floating_point() else tensor.dtype
        copy = tensor.to(dtype, copy=True)
        if self.mapped:
            _give_back(tensor.untyped_storage())
        return copy


def _give_back(storage: torch.UntypedStorage) -> None:
    # Only for storages of a private, read-only mapping: elsewhere this would empty the memory.
    # Whole pages inside of the tensor: its neighbours share the first and the last.
    start = -(-storage.data_ptr() // mmap.PAGESIZE) * mmap.PAGESIZE
    end = (storage.data_ptr() + storage.nbytes()) // mmap.PAGESIZE * mmap.PAGESIZE
    if sys.platform == "linux" and end > start:
        madvise = ctypes.CDLL(None).madvise
        madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        madvise(start, end - start, mmap.MADV_DONTNEED)


# Reading


@contextmanager
def read_weights(name: str, path: Path) -> Iterator[WeightsFile]:
    """Read a checkpoint file, or a folder, zip or tar with one; none of it is executed.

    Tensors may be views of the file: what outlives the `with` must be a copy
    (`WeightsFile.take`).

    Raises `NotOnThisMachineError` if there is no such file, and `ModelError` for

    - a damaged file, or one that is no regular file,
    - a pickle that asks for more than tensors and plain values,
    - an archive with no weights file, or several, or one that unpacks to far more than
      weights do.
    """
    file = _file_at(name, path)
    # Hashing a large file takes as long as reading it, so both happen at once.
    with ThreadPoolExecutor(1) as hashing:
        sha256_later = hashing.submit(sha256_of, [file])
        with unpacked(name, file, partial(_damaged, name, file)) as weights:
            content = _content(name, file, weights)
            sha256 = attempt(sha256_later.result, partial(_damaged, name, file))
            yield WeightsFile(content, sha256 or "", _is_mapped(weights))


def flat_keys_in(name: str, file: Path) -> tuple[str, ...] | None:
    """The keys of a pickle's tensors; None if they lie under a key of training code.

    Raises `ModelError` as `read_weights` does.
    """
    with unpacked(name, file, partial(_damaged, name, file)) as weights:
        content = _content(name, file, weights)
        state = _state_dict(content, MOST_NESTED)
        if state is not content:
            return None
        return tuple(weights_in(content))


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
            f" checkpoint={shown_path(path)!r}, which does not exist. Fix the path or"
            " copy the file to it."
        )
    if not is_regular(path):
        raise ModelError(
            f"Expected a regular file for {name}, got checkpoint={shown_path(path)!r},"
            " which is a FIFO, a device or a socket. Name the weights file itself."
        )
    return path


def _content(name: str, file: Path, weights: Path) -> Mapping[str, Any]:
    """The tensors and plain values of a weights file, which may be unpacked from `file`."""
    content = attempt(lambda: _loaded(weights), partial(unreadable_weights, name, file))
    if not isinstance(content, Mapping):
        raise ModelError(
            f"Expected a dictionary of weights in {file.name} for {name}, got a"
            f" {type(content).__name__}. Save the model's state_dict with torch.save."
        )
    return content


def _loaded(weights: Path) -> Any:
    if weights.suffix == ".safetensors":
        # safetensors copies into tensors of its own.
        return load_file(weights)
    _require_plain(weights)
    with safe_globals(ALLOWED), warnings.catch_warnings():
        # Warnings of torch about old formats would reach the user's test run.
        warnings.simplefilter("ignore")
        return torch.load(
            weights, map_location="cpu", weights_only=True, mmap=_is_mapped(weights)
        )


def _require_plain(weights: Path) -> None:
    """Refuse TorchScript, and the tars that the first versions of torch wrote.

    torch 2.6 does so too. An older one runs what is in them in spite of `weights_only`:
    this can go with torch 2.5.
    """
    if is_zip(weights):
        with zipfile.ZipFile(weights) as archive:
            names = archive.namelist()
        if any(name.endswith(_OF_TORCHSCRIPT) for name in names):
            raise RuntimeError("TorchScript")
    elif tarfile.is_tarfile(weights):
        raise pickle.UnpicklingError("a tar of torch 0.1")


def _is_mapped(weights: Path) -> bool:
    # Files of torch before 1.6 are no zips, and cannot be mapped.
    return weights.suffix != ".safetensors" and is_zip(weights)


# What is wrong with a file


def unreadable_weights(name: str, file: Path, error: BaseException) -> ModelError:
    """The error for a weights file that a library could not read: refused code, or damage."""
    # With `weights_only=True` torch refuses a class by this error.
    if isinstance(error, pickle.UnpicklingError):
        return _refused(name, file, error)
    if "TorchScript" in str(error):
        return _torchscript(name, file)
    return _damaged(name, file, error)


def _refused(name: str, file: Path, error: BaseException) -> ModelError:
    request = "more than tensors and plain values"
    class_name = re.search(r"(?:GLOBAL|class) ([\w.]{1,80})", str(error))
    if class_name:
        request = class_name[1]
    return ModelError(
        f"Expected only weights in {file.name} for {name}, got a pickle that asks for"
        f" {request}: reading it could run its code, so it is refused. On the machine"
        " that made it, save torch.save(model.state_dict(), FILE) or a safetensors"
        " file."
    )


def _torchscript(name: str, file: Path) -> ModelError:
    return ModelError(
        f"Expected a state dict in {file.name} for {name}, got a TorchScript archive,"
        " which holds code. OpenAI's weights are available as"
        " hf:openai/clip-vit-base-patch32 or open_clip:ViT-B-32-quickgelu/openai."
    )


def _damaged(name: str, file: Path, error: BaseException) -> ModelError:
    size = file.stat().st_size
    if isinstance(error, TooLargeError):
        return ModelError(
            f"Expected weights of {name} that unpack to at most {limit_of(file)} bytes,"
            f" got {file.name} of {size} bytes, which unpacks to more. If you trust it,"
            " unpack it yourself and name the weights file."
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


# The state dict of a file


def weights_in(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """The state dict of a file: flat, or under the key that training code keeps it under."""
    state = _state_dict(content, MOST_NESTED) or {}
    return {
        key: value
        for key, value in state.items()
        if isinstance(key, str) and isinstance(value, torch.Tensor)
    }


def _state_dict(content: Mapping[str, Any], levels: int) -> Mapping[str, Any] | None:
    """The mapping that holds the tensors, at most `levels` down; None if it is not clear."""
    if levels == 0:
        return None
    for key in _STATE_KEYS:
        nested = content.get(key)
        if isinstance(nested, Mapping):
            state = _state_dict(nested, levels - 1)
            if state is not None:
                return state
    if holds_tensors(content):
        return content
    # Other training code uses names of its own; the optimiser's state has tensors too.
    candidates = [
        value
        for key, value in content.items()
        if isinstance(value, Mapping)
        and not str(key).startswith(OPTIMISER)
        and holds_tensors(value)
    ]
    return candidates[0] if len(candidates) == 1 else None


def holds_tensors(content: Mapping[str, Any]) -> bool:
    """Whether any value of a mapping is a tensor."""
    return any(isinstance(value, torch.Tensor) for value in content.values())
