"""Checkpoints with a payload: what would run, where it stands, and in which format."""

from __future__ import annotations

import collections
import io
import os
import pickle
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch


class Payload:
    """What would make the canary's file, were it unpickled."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> Any:
        return self._call


def payloads_of(canary: Path) -> Mapping[str, Any]:
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


def positions_of(payload: Any) -> Mapping[str, Any]:
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
            # The second part is the number of tensors.
            part = 0 if name == "tensors" else content
            _add(archive, name, pickle.dumps(part, protocol=2))


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


FORMS: Mapping[str, tuple[Callable[[Any, Path], None], str]] = {
    "zip": (_zip_form, ".pt"),
    "legacy": (_legacy_form, ".pth"),
    "bare pickle": (_bare_form, ".ckpt"),
    "oldest tar": (_oldest_form, ".tar"),
    "zip in a zip": (_zipped_form, ".zip"),
    "zip in a tar": (_tarred_form, ".tar"),
}
