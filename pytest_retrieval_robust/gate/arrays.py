"""Ranks of a run, one small file per case.

They cross from workers to the controller without a network.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.atomic_files import whole_file
from ..core.errors import RobustError
from ..core.names import slug

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..core.cases import Case


_MOST_BYTES_IN_MEMORY = 2**28


def case_key(case: Case) -> str:
    """A file name for a case: it tells nothing, and is the same in every process."""
    level = f"{case.level:.6f}"
    words = [case.model, case.dataset, case.occluder, level, str(case.seed)]
    # Occlusions keep the keys that runs of earlier versions were saved with.
    if case.family != "occlusion":
        words.append(case.family)
    return hashlib.blake2b("\0".join(words).encode(), digest_size=12).hexdigest()


def dataset_key(name: str) -> str:
    """The file name of a data set's query keys and patient clusters."""
    return f"dataset-{slug(name)}"


class RunStore:
    """Named arrays, in a folder and, as far as there is room, in memory.

    Files appear whole or not at all, and a key is always written with the same arrays.
    With `alone`, no other process reads them: then only those that memory has no room
    for become files.
    """

    def __init__(self, folder: Path, *, alone: bool = False) -> None:
        self._folder = folder
        self._alone = alone
        self._in_memory: dict[str, dict[str, NDArray[np.int64]]] = {}
        self._free_bytes = _MOST_BYTES_IN_MEMORY

    @property
    def folder(self) -> Path:
        """The run's folder. It may not be there yet."""
        return self._folder

    @property
    def is_alone(self) -> bool:
        """Whether no other process reads what this one keeps."""
        return self._alone

    def save(self, key: str, **arrays: NDArray[np.int64]) -> None:
        """Keep arrays under `key`; `RobustError` where the disk has no room for them."""
        is_held = self._hold(key, arrays)
        if not is_held or not self._alone:
            self._write(key, arrays)

    def _hold(self, key: str, arrays: dict[str, NDArray[np.int64]]) -> bool:
        """Hold arrays in memory, if there is room for them; whether they are held."""
        size = sum(array.nbytes for array in arrays.values())
        if key not in self._in_memory and size <= self._free_bytes:
            self._in_memory[key] = arrays
            self._free_bytes -= size
        return key in self._in_memory

    def _write(self, key: str, arrays: dict[str, NDArray[np.int64]]) -> None:
        import numpy as np

        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with (
                whole_file(self._folder / f"{key}.npz") as part,
                part.open("wb") as stream,
            ):
                # The stub of `savez` knows no arrays by keyword.
                np.savez(stream, **arrays)  # type: ignore[arg-type]
        except OSError as error:
            problem = error.strerror or type(error).__name__
        else:
            return
        raise RobustError(
            f"Expected room for ranks in the system's temporary folder, got: {problem}."
            " Free space there, or set TMPDIR to another folder."
        )

    def of_case(self, ranks_key: str) -> dict[str, NDArray[np.int64]] | None:
        """The ranks of a case: see `evidence.Arrays`."""
        return self.load(ranks_key)

    def of_dataset(self, name: str) -> dict[str, NDArray[np.int64]] | None:
        """The query keys and patient clusters of a data set: see `evidence.Arrays`."""
        return self.load(dataset_key(name))

    def load(self, key: str) -> dict[str, NDArray[np.int64]] | None:
        """The arrays saved under `key`, or None.

        They are not to be changed: every caller gets the same arrays.
        """
        import numpy as np

        if key in self._in_memory:
            return self._in_memory[key]
        path = self._folder / f"{key}.npz"
        if not path.is_file():
            return None
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        self._hold(key, arrays)
        return arrays
