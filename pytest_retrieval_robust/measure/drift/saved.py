"""Files of fingerprints: JSON to be committed, one row per line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ...core.atomic_files import write_whole_text
from ...core.codec import Json, from_plain
from ...core.drift import fingerprint_command
from ...core.errors import RobustError
from ...core.files import open_regular, read_at_most
from .fingerprint import Fingerprint, PictureMark, SentenceMark, read_row
from .inputs import SENTENCES, inputs_digest, pixel_arrays

FORMAT = 1
"""The version of the file's form."""
_MOST_BYTES = 1 << 25
"""Of a file: one of rows of 4,096 numbers has some 550 kB."""
_LONGEST_PROBLEM = 160
_DIGEST = "content_sha256"
_ABOUT = (
    "What a model makes of fixed pictures and sentences. Written by `python -m"
    " pytest_retrieval_robust fingerprint`; not to be edited."
)


class FingerprintError(RobustError):
    """A fingerprint that is missing, damaged, of another version or of another model."""


def write_fingerprint(fingerprint: Fingerprint, file: Path) -> None:
    """Write a fingerprint, in place of what was there; its folder is made.

    Raises `OSError` where that cannot be done.
    """
    content = {"format": FORMAT, "about": _ABOUT, **fingerprint.as_json()}
    content[_DIGEST] = _content_digest(content)
    file.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, indent=1, ensure_ascii=False)
    write_whole_text(file, f"{text}\n")


def read_fingerprint(file: Path, model: str) -> Fingerprint:
    """The fingerprint of a model.

    Raises:
        FingerprintError: The file cannot be read, was damaged or changed, is of another
            version, of other inputs or of another model; the message says what to do.
    """
    content = _content(file)
    version = content.get("format")
    if type(version) is not int:
        raise _refusal(file, "a fingerprint", "none (no format)", model)
    if version != FORMAT:
        raise _refusal(file, f"format={FORMAT}", f"format={version!r}", model)
    try:
        fingerprint = from_plain(Fingerprint, content)
    except msgspec.ValidationError as error:
        problem = str(error)[:_LONGEST_PROBLEM]
        raise _refusal(file, "a whole fingerprint", problem, model) from None
    if fingerprint.model != model:
        raise FingerprintError(
            f"Expected the fingerprint of {model}, got model={fingerprint.model!r} in"
            f" {file.name}. Name its own file in the gate (drift), or make one with"
            f" `{fingerprint_command(model)}`."
        )
    _check_inputs(file, fingerprint)
    _check_rows(file, fingerprint)
    # Last: what breaks something else is named by it.
    if content.get(_DIGEST) != _content_digest(content):
        raise _refusal(file, "the content it was written with", "another", model)
    return fingerprint


def _content(file: Path) -> Json:
    problem = "no object"
    try:
        with open_regular(file) as stream:
            content: Any = json.loads(
                read_at_most(stream, _MOST_BYTES).decode(), parse_constant=_refuse
            )
        # Half of a surrogate pair, which JSON can write, is no text.
        json.dumps(content, ensure_ascii=False).encode()
        if isinstance(content, dict):
            return content
    except OSError as error:
        problem = error.strerror or str(error)
    except json.JSONDecodeError as error:
        problem = f"line {error.lineno}, column {error.colno} is no JSON"
    except UnicodeError:
        problem = "text that is not UTF-8"
    except RecursionError:
        problem = "values nested without end"
    except ValueError as error:
        problem = str(error)[:_LONGEST_PROBLEM]
    raise FingerprintError(
        f"Expected a readable fingerprint, got {file.name}: {problem}. Take the file back"
        " from version control, or make it again with `python -m pytest_retrieval_robust"
        " fingerprint`."
    )


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} in place of a number")


def _check_inputs(file: Path, fingerprint: Fingerprint) -> None:
    """Refuse a fingerprint of other pictures or sentences."""
    for kind, marks, names in (
        ("pictures", fingerprint.pictures, list(pixel_arrays())),
        ("sentences", fingerprint.sentences, list(SENTENCES)),
    ):
        saved_names = [mark.name for mark in marks]
        if len(saved_names) != len(names):
            raise _refusal(
                file, f"{len(names)} {kind}", f"{len(saved_names)}", fingerprint.model
            )
        if saved_names != names:
            raise _refusal(
                file, f"the {kind} of this version", "others", fingerprint.model
            )
    if fingerprint.inputs_sha256 != inputs_digest():
        raise _refusal(
            file,
            "the pictures and sentences of this version",
            f"inputs_sha256={fingerprint.inputs_sha256[:12]}...",
            fingerprint.model,
        )


def _check_rows(file: Path, fingerprint: Fingerprint) -> None:
    for marks in (fingerprint.pictures, fingerprint.sentences):
        problem = _wrong_row(marks)
        if problem is not None:
            raise _refusal(file, "rows of finite numbers", problem, fingerprint.model)
    widths = {len(mark.row) for mark in fingerprint.marks if mark.row is not None}
    if len(widths) != 1:
        raise _refusal(
            file, "rows of one width", f"widths={sorted(widths)}", fingerprint.model
        )


def _wrong_row(marks: Iterable[PictureMark | SentenceMark]) -> str | None:
    """What is wrong with the first row that is none; None where all are rows."""
    for mark in marks:
        if mark.row is None:
            continue
        if not mark.row or len(mark.row) % 4:
            return f"{len(mark.row)} bytes for {mark.name}"
        row = read_row(mark.row)
        if not np.isfinite(row).all():
            return f"NaN or an infinite number for {mark.name}"
        if not row.any():
            return f"zeros alone for {mark.name}"
    return None


def _content_digest(content: Json) -> str:
    """The SHA-256 of all but itself, however the file is indented."""
    others = {key: value for key, value in content.items() if key != _DIGEST}
    text = json.dumps(others, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _refusal(file: Path, expected: str, got: str, model: str) -> FingerprintError:
    return FingerprintError(
        f"Expected {expected} in {file.name}, got {got}. Take the file back from version"
        f" control, or make it again with `{fingerprint_command(model)}`."
    )
