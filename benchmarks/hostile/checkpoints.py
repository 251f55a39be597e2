"""Checkpoints that hold code, are damaged or never end: nothing runs, and only
`ModelError` is raised.
"""

from __future__ import annotations

import collections
import io
import json
import os
import pickle
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch

from pytest_retrieval_robust import load_model
from pytest_retrieval_robust.core.errors import ModelError, RobustError

from .children import in_children
from .mutations import mutated
from .trials import Check, Ground, Row, Trial

_MODEL = "cxr-clip"
"""Its loader reads the file first, to see which variant it is."""


class Payload:
    """What would make the canary's file, were it unpickled."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._call = function, arguments

    def __reduce__(self) -> Any:
        return self._call


def _payloads(canary: Path) -> Mapping[str, Any]:
    """Ways in which a pickle runs code, each through another global."""
    import builtins
    import importlib
    import runpy
    import subprocess
    import timeit

    shell = f"touch {canary}"
    code = f"open({str(canary)!r}, 'w').close()"
    script = canary.with_name("payload.py")
    script.write_text(code)
    return {
        "os.system": Payload(os.system, shell),
        "os.popen": Payload(os.popen, shell),
        "os.mkdir": Payload(os.mkdir, str(canary)),
        "eval": Payload(builtins.eval, f"open({str(canary)!r}, 'w')"),
        "exec": Payload(builtins.exec, code),
        "open": Payload(builtins.open, str(canary), "w"),
        "getattr": Payload(
            builtins.getattr, Payload(importlib.import_module, "os"), "system"
        ),
        "__import__": Payload(builtins.__import__, "antigravity"),
        "subprocess.Popen": Payload(subprocess.Popen, ["touch", str(canary)]),
        "subprocess.check_output": Payload(
            subprocess.check_output, ["touch", str(canary)]
        ),
        "runpy.run_path": Payload(runpy.run_path, str(script)),
        "timeit.timeit": Payload(timeit.timeit, code),
        "shutil.copy": Payload(shutil.copy, str(script), str(canary)),
        "pathlib.Path.touch": Payload(Path.touch, canary),
        "torch.load": Payload(torch.load, str(script)),
        "pickle.loads": Payload(pickle.loads, pickle.dumps(Payload(os.system, shell))),
    }


def _positions(payload: Any) -> Mapping[str, Any]:
    """Places in a checkpoint at which a payload may stand."""
    weight = torch.zeros(2, 2)
    return {
        "alone": payload,
        "a value": {"weight": weight, "extra": payload},
        "a key": {"weight": weight, _Key(payload): 1},
        "within the state dict": {"state_dict": {"weight": weight, "bias": payload}},
        "in a list": {"weight": weight, "history": [1, payload]},
        "in a tuple": {"weight": weight, "history": (payload,)},
        "in an ordered dict": collections.OrderedDict(weight=weight, extra=payload),
        "beside, of a training run": {
            "model": {"weight": weight},
            "optimizer": payload,
            "epoch": 3,
        },
        "in a set": {"weight": weight, "names": _InSet(payload)},
        "deep": {"config": {"a": {"b": {"c": [{"d": payload}]}}}, "weight": weight},
    }


class _Key:
    """Hashable here, and the payload once it is unpickled."""

    def __init__(self, payload: Any) -> None:
        self._payload = payload

    def __reduce__(self) -> Any:
        return self._payload.__reduce__()


class _InSet:
    def __init__(self, payload: Any) -> None:
        self._payload = payload

    def __reduce__(self) -> Any:
        return set, ([_Key(self._payload)],)


def _zip_form(content: Any, file: Path) -> None:
    torch.save(content, file)


def _legacy_form(content: Any, file: Path) -> None:
    torch.save(content, file, _use_new_zipfile_serialization=False)


def _bare_form(content: Any, file: Path) -> None:
    file.write_bytes(pickle.dumps(content, protocol=2))


def _oldest_form(content: Any, file: Path) -> None:
    """torch's format of before 0.1.10: a tar with pickles."""
    with tarfile.open(file, "w") as archive:
        for name in ("sys_info", "pickle", "tensors", "storages"):
            _add(
                archive,
                name,
                pickle.dumps(content if name != "tensors" else 0, protocol=2),
            )


def _zipped_form(content: Any, file: Path) -> None:
    inner = io.BytesIO()
    torch.save(content, inner)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("folder/weights.pt", inner.getvalue())


def _tarred_form(content: Any, file: Path) -> None:
    inner = io.BytesIO()
    torch.save(content, inner)
    with tarfile.open(file, "w:gz") as archive:
        _add(archive, "folder/weights.pt", inner.getvalue())


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


_FORMS: Mapping[str, tuple[Callable[[Any, Path], None], str]] = {
    "zip": (_zip_form, ".pt"),
    "legacy": (_legacy_form, ".pth"),
    "bare pickle": (_bare_form, ".ckpt"),
    "oldest tar": (_oldest_form, ".tar"),
    "zip in a zip": (_zipped_form, ".zip"),
    "zip in a tar": (_tarred_form, ".tar"),
}
_INERT = (
    *("argparse.Namespace", "pathlib.PosixPath", "omegaconf.dictconfig.DictConfig"),
    *(
        "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
        "numpy.core.multiarray._reconstruct",
    ),
    *("numpy.dtype", "numpy.ndarray", "collections.defaultdict", "_codecs.encode"),
)
"""Names that published checkpoints ask for beside their weights."""


def rows(ground: Ground) -> Iterator[Trial]:
    place = ground.place("payloads")
    canary = place / "canary"
    payloads = _payloads(canary)
    attempts: list[tuple[str, Callable[[Path], object], str]] = []
    for form, (write, suffix) in _FORMS.items():
        for position, content in _positions(payloads["os.system"]).items():
            attempts.append((f"{form}, {position}", partial(write, content), suffix))
    for name, payload in payloads.items():
        for form in ("zip", "legacy", "bare pickle"):
            write, suffix = _FORMS[form]
            attempts.append(
                (
                    f"{form}, {name}",
                    partial(write, {"weight": torch.zeros(2), "x": payload}),
                    suffix,
                )
            )
    for name in _INERT:
        attempts.append(
            (f"inert, {name}", partial(_write_inert, name, canary), ".ckpt")
        )
    attempts += _damaged_files()
    checks: list[tuple[str, Check]] = []
    for number, (name, make, suffix) in enumerate(ground.some(attempts, 12)):
        checks.append(
            (name, partial(_refused, place, f"{number}{suffix}", make, canary))
        )
    checks += [
        (name, partial(_not_regular, place, name, canary))
        for name in ground.some(_SPECIAL, 2)
    ]
    yield from in_children(checks, chunk=10)
    valid = _valid_files()
    fuzzed = [
        (f"fuzzed {number}", partial(_fuzzed, ground, place, valid, canary, number))
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


def _refused(
    place: Path, name: str, write: Callable[[Path], object], canary: Path
) -> str | None:
    file = place / name
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


def _damaged_files() -> list[tuple[str, Callable[[Path], object], str]]:
    plain = {"weight": torch.zeros(4, 4)}
    header = json.dumps(
        {"weight": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}
    ).encode()
    return [
        ("empty", lambda file: file.write_bytes(b""), ".pt"),
        ("a text", lambda file: file.write_text("<html>404</html>"), ".pt"),
        ("zeros", lambda file: file.write_bytes(bytes(5000)), ".pt"),
        ("a list of tensors", lambda file: torch.save([torch.zeros(2)], file), ".pt"),
        ("a tensor alone", lambda file: torch.save(torch.zeros(2), file), ".pt"),
        ("an empty dict", lambda file: torch.save({}, file), ".pt"),
        ("another model's weights", lambda file: torch.save(plain, file), ".pt"),
        (
            "safetensors, claims terabytes",
            lambda file: _safetensors(file, header),
            ".safetensors",
        ),
        (
            "safetensors, a header of 2**63",
            lambda file: file.write_bytes(b"\xff" * 8 + b"{}"),
            ".safetensors",
        ),
        (
            "safetensors, cut",
            lambda file: _safetensors(file, header[:20]),
            ".safetensors",
        ),
        ("a zip bomb", _zip_bomb, ".zip"),
        ("a gzip bomb", _gzip_bomb, ".tar"),
        ("a torch zip whose pickle is a bomb", _pickle_bomb, ".pt"),
        ("a tar that declares 10 GB", _declared_tar, ".tar"),
        (
            "a zip without weights",
            lambda file: _zip_of(file, {"readme.txt": b"x"}),
            ".zip",
        ),
        (
            "a zip with two weights",
            lambda file: _zip_of(file, {"a.pt": b"x", "b.pt": b"y"}),
            ".zip",
        ),
        (
            "a zip with a name that leaves it",
            lambda file: _zip_of(file, {"../../a.pt": b"x"}),
            ".zip",
        ),
        (
            "defaultdict of a text",
            lambda file: _raw(
                file, b"\x80\x02ccollections\ndefaultdict\nX\x01\x00\x00\x00x\x85R."
            ),
            ".ckpt",
        ),
        (
            "list of list",
            lambda file: _raw(
                file, b"\x80\x02c__builtin__\nlist\nc__builtin__\nlist\n\x85R."
            ),
            ".ckpt",
        ),
        (
            "int of a text",
            lambda file: _raw(
                file, b"\x80\x02c__builtin__\nint\nX\x01\x00\x00\x00x\x85R."
            ),
            ".ckpt",
        ),
    ]


def _raw(file: Path, content: bytes) -> None:
    file.write_bytes(content)


def _safetensors(file: Path, header: bytes) -> None:
    file.write_bytes(len(header).to_bytes(8, "little") + header)


def _zip_of(file: Path, members: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def _zip_bomb(file: Path) -> None:
    deflated = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
    with (
        deflated as archive,
        archive.open("weights.pt", "w", force_zip64=True) as member,
    ):
        for _ in range(320):
            member.write(bytes(1 << 24))


def _gzip_bomb(file: Path) -> None:
    with tarfile.open(file, "w:gz", compresslevel=1) as archive:
        member = tarfile.TarInfo("weights.pt")
        member.size = 5 << 30
        archive.addfile(member, _Zeros())


class _Zeros:
    """A stream of zeros without end."""

    def read(self, size: int = -1) -> bytes:
        return bytes(min(size, 1 << 24))


def _pickle_bomb(file: Path) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("x/version", "3\n")
        with archive.open("x/data.pkl", "w", force_zip64=True) as member:
            member.write(b"\x80\x02")
            for _ in range(200):
                member.write(b"N0" * (1 << 23))
            member.write(b"}.")


def _declared_tar(file: Path) -> None:
    member = tarfile.TarInfo("weights.pt")
    member.size = 10 << 30
    file.write_bytes(member.tobuf(tarfile.GNU_FORMAT) + bytes(1024))


_SPECIAL = (
    "a FIFO",
    "a device",
    "a loop of links",
    "a folder with a FIFO",
    "a folder with a device",
    "an endless link",
)


def _not_regular(place: Path, kind: str, canary: Path) -> str | None:
    path = place / kind.replace(" ", "-")
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
    return (
        None
        if problem is not None and problem.startswith("NotOnThisMachineError")
        else problem
    )


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
    for write, suffix in _FORMS.values():
        file = Path(os.environ["TMPDIR"]) / f"valid{suffix}"
        write(content, file)
        files.append((file.read_bytes(), suffix))
    files.append((save(state["state_dict"]), ".safetensors"))
    return files


def _fuzzed(
    ground: Ground,
    place: Path,
    valid: list[tuple[bytes, str]],
    canary: Path,
    number: int,
) -> str | None:
    rng = ground.random("checkpoint", number)
    content, suffix = valid[number % len(valid)]
    file = place / f"fuzzed-{os.getpid()}{suffix}"
    file.write_bytes(mutated(content, rng))
    return _model_error(file, canary)


ROWS = (
    Row(
        "checkpoints",
        "checkpoints with payloads, damaged or endless: nothing runs, only ModelError",
        rows,
    ),
)
