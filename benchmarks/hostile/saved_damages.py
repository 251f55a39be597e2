"""Damage to the files of a saved run."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

from .saved_edits import Edit, correct_digest


def _text_in(name: str, content: str) -> Edit:
    return lambda folder: (folder / name).write_text(content)


def _npz_of(
    members: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED
) -> Edit:
    def change(folder: Path) -> None:
        with zipfile.ZipFile(folder / "ranks.npz", "w", compression) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        correct_digest(folder)

    return change


def _npy(shape: str, descr: str = "<i8") -> bytes:
    """The beginning of an array's file."""
    described = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
    header = described.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


def _replaced(name: str, make: Edit) -> Edit:
    def change(folder: Path) -> None:
        (folder / name).unlink()
        make(folder / name)

    return change


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _to_zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


DAMAGES: Mapping[str, Edit] = {
    "run.json empty": _text_in("run.json", ""),
    "run.json a list": _text_in("run.json", "[]"),
    "run.json a number": _text_in("run.json", "1"),
    "run.json deep": _text_in("run.json", "[" * 200_000),
    "run.json deep, closed": _text_in(
        "run.json", '{"a":' * 50_000 + "1" + "}" * 50_000
    ),
    "run.json with NaN": _text_in("run.json", '{"schema_version": NaN}'),
    "run.json with a huge number": _text_in(
        "run.json", '{"schema_version": ' + "9" * 6_000 + "}"
    ),
    "run.json of another version": _text_in("run.json", '{"schema_version": 99}'),
    "run.json a FIFO": _replaced("run.json", os.mkfifo),
    "run.json a loop": _replaced("run.json", _loop),
    "run.json a folder": _replaced("run.json", os.mkdir),
    "run.json without end": _replaced("run.json", _to_zero),
    "ranks.npz missing": lambda folder: (folder / "ranks.npz").unlink(),
    "ranks.npz a FIFO": _replaced("ranks.npz", os.mkfifo),
    "ranks.npz a loop": _replaced("ranks.npz", _loop),
    "ranks.npz a folder": _replaced("ranks.npz", os.mkdir),
    "ranks.npz without end": _replaced("ranks.npz", _to_zero),
    "ranks.npz claims terabytes": _npz_of(
        {"a/image_ranks.npy": _npy("(1000000000000,)")}
    ),
    "ranks.npz a bomb": _npz_of(
        {"a/image_ranks.npy": _npy("(250000000,)") + bytes(2_000_000_000)},
        zipfile.ZIP_DEFLATED,
    ),
    "ranks.npz of objects": _npz_of(
        {"a/image_ranks.npy": _npy("(1,)", "|O") + b"cposix\nsystem\n(S'true'\ntR."}
    ),
    "ranks.npz of texts": _npz_of(
        {"a/image_ranks.npy": _npy("(1,)", "<U4") + bytes(16)}
    ),
    "ranks.npz without a member": _npz_of({}),
    "ranks.npz with a foreign member": _npz_of({"../../x": b"x"}),
}
