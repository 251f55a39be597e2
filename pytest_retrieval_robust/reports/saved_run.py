"""Writing a saved run: `run.json` and `ranks.npz`.

Neither can hold an image, a report's text or a patient's id.
"""

from __future__ import annotations

import errno
import json
import os
import platform
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ..core.atomic_files import part_of, parts_in, remove_abandoned
from ..core.codec import Json, to_plain
from ..core.files import open_regular
from ..core.foreign import FOREIGN
from ..core.names import slug
from ..gate.arrays import dataset_key
from . import ReportEntry
from .heat_map_shades import save_map
from .saved.arrays import RANKS_FILE, digest_of, is_kept_name, kept_name, open_ranks
from .saved.convert import document_of
from .saved.omissions import leave_out_the_usual
from .saved.read import RUN_FILE, content_digest, read_run_json

if TYPE_CHECKING:
    from ..core.catalogue import Catalogue
    from ..gate.arrays import RunStore
    from ..gate.record import RunRecord


def register(catalogue: Catalogue[ReportEntry]) -> None:
    catalogue.add(ReportEntry("json", "the run, as run.json", render_json))


def render_json(run: RunRecord) -> str:
    """`run.json`: that of `--robust-results`, to the byte, where it was written."""
    if run.results is None:
        return _text(run_as_json(run))
    return (run.results / RUN_FILE).read_text(encoding="utf-8")


def _text(data: Json) -> str:
    # Indented by msgspec, because what `json` indents it writes in Python.
    return msgspec.json.format(json.dumps(data, allow_nan=False), indent=1) + "\n"


def run_as_json(run: RunRecord, ranks_sha256: str | None = None) -> Json:
    """The run as `run.schema.json` describes it: no NaN, and a reason beside every null."""
    data = _as_read(to_plain(document_of(run, ranks_sha256, host_of(run))))
    leave_out_the_usual(data)
    data["run"]["content_sha256"] = content_digest(data)
    return data


def _as_read(data: Json) -> Json:
    """What a reader of the written file gets.

    Halves of surrogate pairs are replaced: names of files may hold them, and no output
    can.
    """
    text = json.dumps(data, ensure_ascii=False, allow_nan=False)
    read: Json = json.loads(text.encode(errors="replace"))
    return read


def host_of(run: RunRecord) -> Json:
    """What the run was measured on: this machine, unless it was saved before."""
    return run.identity.host or _host(run)


def _host(run: RunRecord) -> Json:
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
        **_libraries(),
        "gpu": _accelerators(run),
    }


def _libraries() -> Json:
    """Versions.

    Null where a time-out struck while one was imported: it cannot be imported any more.
    """
    try:
        import torch

        # Of a run without one of its models it is not imported for its version, which
        # takes a second.
        transformers = version("transformers")
    except FOREIGN:
        return {"torch": None, "transformers": None}
    return {"torch": torch.__version__, "transformers": transformers}


def _accelerators(run: RunRecord) -> str | None:
    """What the run was measured on beside processors.

    The process that saves a run may see other devices than the one that measured.
    """
    if not run.outcomes and not run.costs:
        return _first_gpu()
    names = {outcome.timing.hardware for outcome in run.outcomes}
    names |= {cost.hardware for cost in run.costs if cost.device != "cpu"}
    return ", ".join(sorted(names - {""})) or None


def _first_gpu() -> str | None:
    """Of a run whose measurements do not say."""
    try:
        import torch

        return torch.cuda.get_device_name() if torch.cuda.is_available() else None
    except FOREIGN:
        return None


def save_run(
    run: RunRecord, store: RunStore, folder: Path, replayed: Path | None = None
) -> None:
    """Write both files; `OSError` where that fails, and then an older run is still there.

    The ranks of a run that is judged again are those of the folder that it was `replayed` from.

    Everything is written under other names first, and then moved to its place. Two
    files cannot be moved at once. So the older run's ranks stay under a second name
    until its `run.json` is replaced too: whenever the process is killed, `run.json`
    finds the ranks that it speaks of.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remove_abandoned(parts_in(folder))
    maps = {
        folder / f"sensitivity-{slug(search.model)}-{slug(search.dataset)}.png": (
            search.sensitivity
        )
        for search in run.breaking
    }
    parts = {
        path: part_of(path) for path in (folder / RANKS_FILE, folder / RUN_FILE, *maps)
    }
    try:
        ranks = parts[folder / RANKS_FILE]
        if replayed is None:
            _save_arrays(ranks, _arrays(run, store))
        else:
            _copy_ranks(replayed, ranks)
        with open_regular(ranks) as stream:
            digest = digest_of(stream)
        parts[folder / RUN_FILE].write_text(
            _text(run_as_json(run, digest)), encoding="utf-8"
        )
        for path, sensitivity in maps.items():
            save_map(sensitivity, parts[path])
        for part in parts.values():
            _flush(part)
        with _one_at_a_time(folder):
            _put_in_place(parts, folder)
    finally:
        # Those that were not moved: an interrupt may come at any time.
        for part in parts.values():
            with suppress(OSError):
                part.unlink()


def _copy_ranks(replayed: Path, target: Path) -> None:
    expected: str = read_run_json(replayed)["run"]["ranks_sha256"]
    with closing(open_ranks(replayed, expected)) as source, target.open("wb") as stream:
        shutil.copyfileobj(source, stream)


def _flush(part: Path) -> None:
    """Have a file on the disk before its name says so: a machine may lose its power too."""
    with part.open("rb") as stream:
        try:
            os.fsync(stream.fileno())
        except OSError as error:
            # Some file systems have no such thing.
            if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
                raise


def _put_in_place(parts: Mapping[Path, Path], folder: Path) -> None:
    """Move the new files to their names; the older run is whole until both are moved."""
    ranks = folder / RANKS_FILE
    text = folder / RUN_FILE
    older = _put_aside(ranks)
    try:
        parts[ranks].replace(ranks)
        parts[text].replace(text)
    except BaseException:
        # The older run.json still stands, and needs its ranks.
        if parts[text].exists():
            _put_back(older, ranks)
        raise
    for path, part in parts.items():
        if path not in (ranks, text):
            part.replace(path)
    with suppress(OSError):
        for path in folder.iterdir():
            if is_kept_name(path.name):
                path.unlink()


def _put_aside(ranks: Path) -> Path | None:
    """Give ranks a second name, by which their `run.json` finds them; None without any."""
    try:
        with open_regular(ranks) as stream:
            kept = ranks.with_name(kept_name(digest_of(stream)))
    except FileNotFoundError:
        return None
    if kept.exists():
        return kept
    try:
        os.link(ranks, kept)
    except OSError:
        # No file system has to know second names.
        ranks.replace(kept)
    return kept


def _put_back(older: Path | None, ranks: Path) -> None:
    with suppress(OSError):
        if older is None:
            ranks.unlink()
        else:
            older.replace(ranks)
            # A file is not moved to another name of itself: then both are still there.
            older.unlink(missing_ok=True)


_WAIT_SECONDS = 5.0
"""How long a run waits for another one that writes to the same folder."""


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Keep two runs that end together from mixing their files.

    Without locks of the file system, or after a long wait, it goes on all the same.
    """
    try:
        import fcntl

        descriptor = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        yield
        return
    try:
        deadline = time.monotonic() + _WAIT_SECONDS
        while time.monotonic() < deadline:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.05)
            except OSError:
                break
        yield
    finally:
        os.close(descriptor)


def _save_arrays(path: Path, arrays: dict[str, Any]) -> None:
    import numpy as np

    with path.open("wb") as stream:
        np.savez_compressed(stream, **arrays)


def _arrays(run: RunRecord, store: RunStore) -> dict[str, Any]:
    """`<ranks_key>/image_ranks` and `/report_ranks` per case; `<data set>/...query_key`
    and `/...cluster` per data set; `<arrays_key>/breaking_mask`, `/rank_before`,
    `/rank_after` and `/image_query_key` per search.
    """
    # Key in the store -> folder in the archive.
    folders: dict[str, str] = {}
    for outcome in run.outcomes:
        if outcome.ranks_key is not None:
            folders[outcome.ranks_key] = outcome.ranks_key
    for search in run.breaking:
        if search.arrays_key is not None:
            folders[search.arrays_key] = search.arrays_key
    for dataset in run.datasets:
        folders[dataset_key(dataset["name"])] = dataset["name"]
    arrays = {}
    for key, folder in folders.items():
        for name, array in (store.load(key) or {}).items():
            arrays[f"{folder}/{name}"] = array
    return arrays
