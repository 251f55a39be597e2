"""Stored embeddings that are damaged: a shard is read whole and right, or not at all."""

from __future__ import annotations

import io
import os
import pickle
import shutil
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pytest_retrieval_robust import evaluate, load_occluder
from pytest_retrieval_robust.measure.embeddings.store import (
    FOLDER,
    EmbeddingStore,
    ShardFile,
)

from .children import in_children
from .mutations import mutated
from .toy import ToyDataset, ToyEncoder
from .trials import Check, Ground, Row, Trial

LEVELS = (0, 0.1, 0.2)
Arrays = Mapping[str, Any]
Damage = Callable[[Path, Path], None]
"""Damages the first file; the second is another shard."""


def _cut(file: Path, _: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _empty(file: Path, _: Path) -> None:
    file.write_bytes(b"")


def _zeros(file: Path, _: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


def _one_bit(file: Path, _: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    file.write_bytes(bytes(content))


def _another_shard(file: Path, other: Path) -> None:
    shutil.copyfile(other, file)


def _foreign_text(file: Path, _: Path) -> None:
    file.write_text("not a shard")


def _other_rows(file: Path, _: Path) -> None:
    """The same archive with other numbers, and the old digest."""
    with np.load(file) as opened:
        arrays = {name: opened[name] for name in opened.files}
    arrays["rows"] = arrays["rows"][::-1].copy()
    np.savez(file, **arrays)


def _pickled(file: Path, _: Path) -> None:
    """A member that would have to be unpickled."""
    rows = io.BytesIO()
    np.save(rows, np.array([object()], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("rows.npy", rows.getvalue())
        archive.writestr("key.npy", pickle.dumps("x"))


def _claims_terabytes(file: Path, _: Path) -> None:
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (2000000000000,), }"
    header += b" " * (117 - len(header)) + b"\n"
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("rows.npy", content)


def _bomb(file: Path, _: Path) -> None:
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("rows.npy", "w", force_zip64=True) as member,
    ):
        header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000,), }"
        header += b" " * (117 - len(header)) + b"\n"
        member.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
        for _turn in range(250):
            member.write(bytes(1 << 24))


def _folder(file: Path, _: Path) -> None:
    file.unlink()
    file.mkdir()


def _fifo(file: Path, _: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def _loop(file: Path, _: Path) -> None:
    file.unlink()
    file.symlink_to(file.name)


def _device(file: Path, _: Path) -> None:
    file.unlink()
    file.symlink_to("/dev/zero")


_DAMAGES: Mapping[str, Damage] = {
    "cut": _cut,
    "empty": _empty,
    "zeros": _zeros,
    "one bit": _one_bit,
    "another shard's content": _another_shard,
    "a text": _foreign_text,
    "other rows": _other_rows,
    "pickled": _pickled,
    "a folder": _folder,
    "a loop of links": _loop,
    "claims terabytes": _claims_terabytes,
}
_ONCE: Mapping[str, Damage] = {"a bomb": _bomb, "a FIFO": _fifo, "a device": _device}
"""Done to one shard alone: each costs a trial's whole time where it is not refused."""


def rows(ground: Ground) -> Iterator[Trial]:
    cache = ground.place("cache")
    expected = _recalls(cache)
    store = EmbeddingStore(cache / FOLDER)
    files = sorted(store.files(), key=lambda file: file.key)
    right = {file.key: store.load(file.key) or {} for file in files}
    checks: list[tuple[str, Check]] = []
    for number, file in enumerate(files):
        other = files[number - 1]
        for name, damage in _DAMAGES.items():

            def spoil(
                target: Path,
                damage: Damage = damage,
                file: ShardFile = file,
                other: ShardFile = other,
            ) -> None:
                damage(_in(target, cache, file), _in(target, cache, other))

            rows_of_file = right[file.key]
            check = partial(_damaged, ground, cache, file.key, spoil, rows_of_file)
            checks.append((f"{name}, shard {number}", check))
    # Each damage to every shard, at once: the run's numbers must be as before.
    for name, damage in {**_DAMAGES, **_ONCE}.items():
        check = partial(_measured_again, ground, cache, damage, expected)
        checks.append((f"{name}, in a run", check))
    yield from in_children(ground.some(checks, 8), chunk=20)
    fuzzed = [
        (f"fuzzed {number}", partial(_fuzzed, ground, cache, files, right, number))
        for number in range(ground.count(2_000, 40))
    ]
    yield from in_children(fuzzed, chunk=500)


def _recalls(cache: Path) -> Any:
    curve = evaluate(
        ToyEncoder(),
        ToyDataset(),
        load_occluder("patches"),
        levels=LEVELS,
        cache_dir=cache,
        batch_size=40,
    )
    directions: Any = ("image-to-report", "report-to-image")
    recalls = []
    for k in (1, 5, 10):
        recalls += [curve.recall(k, direction) for direction in directions]
    return recalls


def _copied(ground: Ground, cache: Path) -> Path:
    folder = ground.folder / f"copy-{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(cache, folder)
    return folder


def _damaged(
    ground: Ground,
    cache: Path,
    key: str,
    spoil: Callable[[Path], None],
    right: Arrays,
) -> str | None:
    folder = _copied(ground, cache)
    store = EmbeddingStore(folder / FOLDER)
    spoil(folder)
    return _right_or_none(store.load(key), right)


def _in(folder: Path, cache: Path, file: ShardFile) -> Path:
    return folder / file.path.relative_to(cache)


def _right_or_none(loaded: Arrays | None, right: Arrays) -> str | None:
    """What is wrong with arrays that were read; a shard may also be refused."""
    if loaded is None:
        return None
    if loaded.keys() != right.keys():
        return "wrong arrays were read"
    if not all(np.array_equal(loaded[name], right[name]) for name in right):
        return "wrong arrays were read"
    return None


def _measured_again(
    ground: Ground, cache: Path, damage: Damage, expected: Any
) -> str | None:
    folder = _copied(ground, cache)
    files = sorted(EmbeddingStore(folder / FOLDER).files(), key=lambda file: file.key)
    if damage in _ONCE.values():
        files = files[:1]
    for number, file in enumerate(files):
        damage(file.path, files[number - 1].path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the note on damaged shards
        recalls = _recalls(folder)
    if recalls != expected:
        return f"other numbers: {recalls} instead of {expected}"
    return None


def _fuzzed(
    ground: Ground,
    cache: Path,
    files: list[ShardFile],
    right: Mapping[str, Arrays],
    number: int,
) -> str | None:
    rng = ground.random("shard", number)
    file = rng.choice(files)
    folder = ground.folder / f"fuzz-{os.getpid()}"
    target = folder / FOLDER / file.path.relative_to(cache / FOLDER)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(mutated(file.path.read_bytes(), rng))
    loaded = EmbeddingStore(folder / FOLDER).load(file.key)
    target.unlink()
    return _right_or_none(loaded, right[file.key])


ROWS = (Row("shards", "damaged shards: never a wrong array, the same numbers", rows),)
