"""Checkpoints without a payload that are damaged, endless or of something else."""

from __future__ import annotations

import json
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import torch


def damaged_files() -> list[tuple[str, Callable[[Path], object], str]]:
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
