"""Checkpoints that hold code, are damaged or never end.

Nothing of them runs, and only `ModelError` is raised.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch

from pytest_retrieval_robust import load_model
from pytest_retrieval_robust.core.errors import ModelError, RobustError

from .children import in_children
from .damaged_checkpoints import damaged_files
from .mutations import mutated
from .payloads import FORMS, payloads_of, positions_of
from .trials import Check, Ground, Row, Trial

_MODEL = "cxr-clip"
"""Its loader reads the file first, to see which variant it is."""
_INERT = (
    "argparse.Namespace",
    "pathlib.PosixPath",
    "omegaconf.dictconfig.DictConfig",
    "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
    "numpy.core.multiarray._reconstruct",
    "numpy.dtype",
    "numpy.ndarray",
    "collections.defaultdict",
    "_codecs.encode",
)
"""Names that published checkpoints ask for beside their weights."""


def rows(ground: Ground) -> Iterator[Trial]:
    folder = ground.place("payloads")
    canary = folder / "canary"
    payloads = payloads_of(canary)
    attempts: list[tuple[str, Callable[[Path], object], str]] = []
    for form, (write, suffix) in FORMS.items():
        for position, content in positions_of(payloads["os.system"]).items():
            attempts.append((f"{form}, {position}", partial(write, content), suffix))
    for name, payload in payloads.items():
        for form in ("zip", "legacy", "bare pickle"):
            write, suffix = FORMS[form]
            content = {"weight": torch.zeros(2), "x": payload}
            attempts.append((f"{form}, {name}", partial(write, content), suffix))
    for name in _INERT:
        make = partial(_write_inert, name, canary)
        attempts.append((f"inert, {name}", make, ".ckpt"))
    attempts += damaged_files()
    checks: list[tuple[str, Check]] = []
    for number, (name, write_file, suffix) in enumerate(ground.some(attempts, 12)):
        file = folder / f"{number}{suffix}"
        checks.append((name, partial(_refused, file, write_file, canary)))
    for name in ground.some(_SPECIAL, 2):
        checks.append((name, partial(_not_regular, folder, name, canary)))
    yield from in_children(checks, chunk=10)
    valid = _valid_files()
    fuzzed = [
        (f"fuzzed {number}", partial(_fuzzed, ground, folder, valid, canary, number))
        for number in range(ground.count(2_800, 60))
    ]
    yield from in_children(fuzzed, chunk=200)


def _write_inert(name: str, canary: Path, file: Path) -> None:
    """A pickle that builds an object of an allowed name from a call with hostile
    arguments, and sets its state.
    """
    module, _, attribute = name.rpartition(".")
    command = f"touch {canary}"
    lines = [b"\x80\x02}X\x06\x00\x00\x00configc", f"{module}\n{attribute}\n".encode()]
    lines += [b"(X", len(command).to_bytes(4, "little"), command.encode(), b"tR"]
    lines += [b"}X\x09\x00\x00\x00__class__cposix\nsystem\nsbs."]
    file.write_bytes(b"".join(lines))


def _refused(file: Path, write: Callable[[Path], object], canary: Path) -> str | None:
    write(file)
    return _model_error(file, canary)


def _model_error(file: Path, canary: Path) -> str | None:
    try:
        load_model(_MODEL, checkpoint=file, device="cpu", download=False)
    except ModelError as error:
        problem = _said_well(error)
    except RobustError as error:
        problem = f"{type(error).__name__} instead of ModelError: {error}"
    except BaseException as error:
        problem = f"{type(error).__name__}: {error}"[:200]
    else:
        problem = "it was loaded"
    if canary.exists():
        return "THE PAYLOAD WAS RUN"
    return problem


def _said_well(error: RobustError) -> str | None:
    text = str(error)
    if "weights_only=False" in text:
        return f"advises to unpickle: {text}"
    if error.__cause__ is not None or error.__context__ is not None:
        return "the error carries a foreign one, whose text Python prints"
    return None


_SPECIAL = (
    "a FIFO",
    "a device",
    "a loop of links",
    "a folder with a FIFO",
    "a folder with a device",
    "an endless link",
)


def _not_regular(folder: Path, kind: str, canary: Path) -> str | None:
    path = folder / kind.replace(" ", "-")
    if kind == "a FIFO":
        os.mkfifo(path)
    elif kind == "a device":
        path.symlink_to("/dev/zero")
    elif kind == "an endless link":
        path.symlink_to("/dev/urandom")
    elif kind == "a loop of links":
        path.symlink_to(path.name)
    else:
        path.mkdir()
        member = path / "model.safetensors"
        if kind.endswith("FIFO"):
            os.mkfifo(member)
        else:
            member.symlink_to("/dev/zero")
    problem = _model_error(path, canary)
    # What is not there, or is no file, may be said to be missing.
    if problem is not None and problem.startswith("NotOnThisMachineError"):
        return None
    return problem


def _valid_files() -> list[tuple[bytes, str]]:
    """Small whole files in every form."""
    from safetensors.torch import save

    state = {
        "state_dict": {
            "a.weight": torch.arange(12.0).reshape(3, 4),
            "b": torch.ones(2, dtype=torch.float16),
        }
    }
    content = {**state, "epoch": 3, "config": {"name": "x", "sizes": [1, 2, 3]}}
    files = []
    for write, suffix in FORMS.values():
        file = Path(os.environ["TMPDIR"]) / f"valid{suffix}"
        write(content, file)
        files.append((file.read_bytes(), suffix))
    files.append((save(state["state_dict"]), ".safetensors"))
    return files


def _fuzzed(
    ground: Ground,
    folder: Path,
    valid: list[tuple[bytes, str]],
    canary: Path,
    number: int,
) -> str | None:
    rng = ground.random("checkpoint", number)
    content, suffix = valid[number % len(valid)]
    file = folder / f"fuzzed-{os.getpid()}{suffix}"
    file.write_bytes(mutated(content, rng))
    return _model_error(file, canary)


ROWS = (
    Row(
        "checkpoints",
        "checkpoints with payloads, damaged or endless: nothing runs, only ModelError",
        rows,
    ),
)
