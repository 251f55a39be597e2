"""Reading a saved run, as `--robust-results` wrote it: `run.json` and `ranks.npz`.

A gate is judged by what is read here, so a run that was damaged or changed must not
pass for a whole one: `checks` and `array_checks` say what is compared, `content_digest`
finds the rest. Nothing heavier than numpy is loaded.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ...core.codec import Json, from_plain
from ...core.errors import RobustError
from ...core.files import NotRegularError, TooLargeError, open_regular, read_at_most
from ...core.foreign import FOREIGN
from ...gate.comparison import Run
from ...gate.evidence import Evidence
from ...gate.measurements import Measurements
from .array_checks import array_contradictions, forms_of
from .arrays import RANKS_FILE, DamagedArraysError, open_ranks, read_arrays
from .checks import Contradiction, contradictions
from .convert import measured_of
from .document import SCHEMA_VERSION, RunDocument

SCHEMA_FILE = Path(__file__).parents[1] / "run.schema.json"
RUN_FILE = "run.json"
_LONGEST_PROBLEM = 200
"""Characters of what breaks the schema: it may quote a whole part of the file."""
_MOST_BYTES = 1 << 28
"""Of a `run.json`: that of 8 models at 6 levels under 3 occluders, with a baseline, has 2 MB."""
_NUMBER_LIMIT = 1 << 63
"""Every number of a run is smaller."""
_MOST_DIGITS = 19
"""More are not read at all: converting them takes time that grows with their square."""
_NO_DIGEST = (
    "This saved run has no digest of its content, as runs of earlier versions: a change"
    " that nothing else in it contradicts is not noticed. Measure it again to have one."
)


class SavedRunError(RobustError):
    """A saved run that is missing, damaged, or of another version."""


class NewerRunError(SavedRunError):
    """A saved run that only a newer version can read."""


@dataclass(frozen=True, repr=False)
class SavedArrays:
    """The arrays of a `ranks.npz`."""

    arrays: Mapping[str, NDArray[np.int64]]

    def of_case(self, ranks_key: str) -> Mapping[str, NDArray[np.int64]] | None:
        return self._under(ranks_key)

    def of_dataset(self, name: str) -> Mapping[str, NDArray[np.int64]] | None:
        return self._under(name)

    def _under(self, folder: str) -> Mapping[str, NDArray[np.int64]] | None:
        return self._folders.get(folder)

    @cached_property
    def _folders(self) -> dict[str, dict[str, NDArray[np.int64]]]:
        folders: dict[str, dict[str, NDArray[np.int64]]] = {}
        for name, array in self.arrays.items():
            folder, _, inner = name.rpartition("/")
            folders.setdefault(folder, {})[inner] = array
        return folders


def has_run(folder: Path) -> bool:
    """Whether something lies there that is a saved run, or was one.

    `load_run` says what is wrong with it.
    """
    try:
        os.stat(folder)
        if not folder.is_dir():
            return True
        return any(os.path.lexists(folder / name) for name in (RUN_FILE, RANKS_FILE))
    except FileNotFoundError:
        # A link to nowhere is something.
        return os.path.lexists(folder)
    except (OSError, ValueError):
        # A loop of links, a folder that may not be looked into, or a name that no
        # folder can have.
        return True


def load_run(folder: Path) -> Run:
    """The run that was saved in `folder`.

    Raises:
        SavedRunError: It is missing, damaged, changed or of another version; the message
            says what to do.
    """
    # The cheapest check first. The digest comes last: what contradicts something else
    # is named by its place, which a digest cannot do.
    data, measured = _read(folder)
    arrays = _arrays(folder, measured, data["run"]["ranks_sha256"])
    _raise_first(array_contradictions(measured, arrays), folder)
    _check_digest(data, folder)
    # Masks were needed to check the shares. No gate looks at them.
    ranks = {name: arrays[name] for name in arrays if "/breaking_" not in name}
    return Run(measured, Evidence(SavedArrays(ranks)))


def load_numbers(folder: Path) -> Run:
    """The run whose `run.json` lies in `folder` without its ranks: its numbers cannot be
    computed again, and nothing can be estimated or compared query by query.

    Raises:
        SavedRunError: As `load_run` does.
    """
    data, measured = _read(folder)
    _check_digest(data, folder)
    return Run(measured, Evidence(SavedArrays({})))


def _read(folder: Path) -> tuple[Json, Measurements]:
    """What `run.json` holds, and what was measured by it."""
    data = read_run_json(folder)
    _check_schema(data, folder)
    measured = _measurements(data, folder)
    _raise_first(contradictions(measured), folder)
    return data, measured


def content_digest(data: Json) -> str:
    """The SHA-256 of all that a `run.json` says, the digest of its ranks included and
    this one left out.

    It is the same however the file is indented. It finds accidents and careless edits.
    It is no signature: whoever changes a run on purpose can compute it again.
    """
    run = {key: value for key, value in data["run"].items() if key != "content_sha256"}
    content = {**data, "run": run}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _check_digest(data: Json, folder: Path) -> None:
    written = data["run"].get("content_sha256")
    if written is not None and written != content_digest(data):
        raise SavedRunError(
            f"Expected the content that {_shown(folder)} was written with, got another:"
            " it was changed after it was written. Make the run again."
        )


def _raise_first(problems: Iterable[Contradiction], folder: Path) -> None:
    """Raise `SavedRunError` for the first contradiction."""
    for problem in problems:
        raise SavedRunError(
            f"Expected {problem.expected}, got {problem.got} in {_shown(folder)}: it,"
            " or the ranks beside it, was changed after it was written. Make the run"
            " again."
        )


def _shown(folder: Path) -> str:
    """The file as messages name it: folders above may tell of users and patients."""
    return f"{folder.name}/{RUN_FILE}"


def _check_schema(data: Json, folder: Path) -> None:
    """Raise `SavedRunError` for the first place that is not as `run.schema.json` says."""
    problem = _validator()(data)
    if problem is not None:
        raise _broken_schema(problem.removeprefix("data").removeprefix("."), folder)


def _broken_schema(problem: str, folder: Path) -> SavedRunError:
    return SavedRunError(
        f"Expected a run as this version writes it, got {_shown(folder)}, which"
        f" breaks its schema: {problem[:_LONGEST_PROBLEM]}. Make the run again."
    )


@cache
def _validator() -> Callable[[Json], str | None]:
    """A function that says where a run breaks the schema, or None."""
    from fastjsonschema import JsonSchemaValueException
    from fastjsonschema import compile as compile_schema

    check = compile_schema(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))

    def problem_in(data: Json) -> str | None:
        try:
            check(data)
        except JsonSchemaValueException as error:
            return str(error.message)
        return None

    return problem_in


def read_run_json(folder: Path) -> Json:
    """What `run.json` holds, of a version that is known; `SavedRunError` for others."""
    data = _parsed(_text(folder), folder)
    version = data.get("schema_version") if isinstance(data, dict) else None
    # By its type and not with isinstance: true is no version.
    if type(version) is not int:
        raise SavedRunError(
            f"Expected a saved run, got {_shown(folder)} without a schema_version. Fix"
            " the path."
        )
    if version > SCHEMA_VERSION:
        raise NewerRunError(
            f"Expected a saved run of schema {SCHEMA_VERSION} or older, got"
            f" schema_version={version} in {folder.name}. A newer version of"
            " pytest-retrieval-robust wrote it: install that one."
        )
    return data  # type: ignore[no-any-return]


def _text(folder: Path) -> bytes:
    try:
        with open_regular(folder / RUN_FILE) as stream:
            return read_at_most(stream, _MOST_BYTES)
    except (NotRegularError, TooLargeError) as error:
        problem = str(error)
    except OSError as error:
        problem = error.strerror or type(error).__name__
    except ValueError:
        problem = "a name that no file can have"
    raise SavedRunError(
        f"Expected a folder that --robust-results wrote, got {folder.name!r} without a"
        f" readable {RUN_FILE} ({problem}). Fix the path."
    )


class _NotJsonError(ValueError):
    """A place in `run.json` that no run has. Its text is ours."""


def _parsed(text: bytes, folder: Path) -> Any:
    try:
        data = json.loads(
            text.decode(),
            object_pairs_hook=_without_repeats,
            parse_constant=_refuse,
            parse_float=_finite_number,
            parse_int=_whole_number,
        )
        # Half of a surrogate pair could not be printed.
        json.dumps(data, ensure_ascii=False).encode()
        return data
    except _NotJsonError as error:
        problem = str(error)
    except json.JSONDecodeError as error:
        problem = f"line {error.lineno}, column {error.colno} is no JSON"
    except UnicodeError:
        problem = "text that is not UTF-8"
    except RecursionError:
        problem = "values nested without end"
    except FOREIGN as error:
        problem = type(error).__name__
    raise SavedRunError(
        f"Expected a whole {RUN_FILE} in {folder.name}, got: {problem}. It was cut off"
        " or changed: make the run again."
    )


def _without_repeats(pairs: list[tuple[str, Any]]) -> Json:
    data = dict(pairs)
    if len(data) < len(pairs):
        raise _NotJsonError("a name that stands twice in one place")
    return data


def _refuse(constant: str) -> None:
    raise _NotJsonError(f"{constant} in place of a number")


def _finite_number(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise _NotJsonError("a number beyond all bounds")
    return value


def _whole_number(digits: str) -> int:
    if len(digits) <= _MOST_DIGITS:
        value = int(digits)
        if abs(value) < _NUMBER_LIMIT:
            return value
    raise _NotJsonError("a number beyond all bounds")


def _measurements(data: Json, folder: Path) -> Measurements:
    """What was measured, by data that follow the schema."""
    notes = () if "content_sha256" in data["run"] else (_NO_DIGEST,)
    try:
        return measured_of(from_plain(RunDocument, data), notes)
    except msgspec.ValidationError as error:
        # To a schema 1.0 is a whole number. No run has written one so.
        problem = str(error)
    raise _broken_schema(problem, folder)


def _arrays(
    folder: Path, measured: Measurements, expected: str | None
) -> Mapping[str, NDArray[Any]]:
    if expected is None:
        raise SavedRunError(
            f"Expected the SHA-256 of the ranks in {_shown(folder)}, got"
            " ranks_sha256=None: this file is a report (--robust-report), not a saved"
            " run. Give the folder that --robust-results wrote."
        )
    try:
        with closing(open_ranks(folder, expected)) as stream:
            return read_arrays(stream, forms_of(measured))
    except DamagedArraysError as error:
        problem = str(error)
    except OSError as error:
        problem = error.strerror or type(error).__name__
    except MemoryError:
        problem = "MemoryError"
    raise SavedRunError(
        f"Expected the {RANKS_FILE} that {_shown(folder)} speaks of, got: {problem}."
        " Take both files of one run, or make the run again."
    )
