"""A submission to a leaderboard: a saved run, or a small file that names one.

{"name": "ours, 2 epochs", "link": "https://example.org/ours", "run": "run"}
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from glob import escape
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import msgspec

from ...core.errors import RobustError
from ...core.files import NotRegularError, TooLargeError, open_regular, read_at_most
from ...gate.comparison import Run
from .arrays import RANKS_FILE
from .read import load_numbers, load_run

_SUFFIX = ".json"
_MOST_BYTES = 1 << 16
_LONGEST_NAME = 96
_LONGEST_LINK = 500
_SCHEMES = ("https", "http")
_FORM = '{"name": "ours", "link": "https://...", "run": "the run\'s folder beside it"}'


class SubmissionError(RobustError):
    """A submission that cannot stand on a leaderboard."""


class _Form(msgspec.Struct, forbid_unknown_fields=True):
    """What the file holds."""

    name: str
    run: str = "."
    """The folder with `run.json` and `ranks.npz`, relative to the file, at or below its
    own folder.
    """
    link: str | None = None
    model: str | None = None


@dataclass(frozen=True, repr=False)
class Submission:
    """A run that stands on a leaderboard."""

    place: str
    """The name of its folder or file, which no folder above it is part of."""
    run: Run
    has_ranks: bool
    name: str | None = None
    """What the board calls it; None: by its models."""
    link: str | None = None
    model: str | None = None
    """The one model of the run that stands on the board; None: all."""

    @property
    def models(self) -> Sequence[str]:
        """Globs of the models that stand on the board."""
        return ("*",) if self.model is None else (escape(self.model),)


def read_submission(path: Path) -> Submission:
    """A submission, checked in whole.

    Raises:
        RobustError: It is missing, damaged, changed or of another form; the message names
            the field.
    """
    if path.suffix != _SUFFIX or path.is_dir():
        has_ranks = _has_ranks(path)
        run = load_run(path) if has_ranks else load_numbers(path)
        return Submission(_last_part(path), run, has_ranks)
    form = _form(path)
    folder = _run_folder(form, path)
    _check_text("name", form.name, _LONGEST_NAME, path)
    if form.link is not None:
        _check_link(form.link, path)
    has_ranks = _has_ranks(folder)
    run = load_run(folder) if has_ranks else load_numbers(folder)
    if form.model is not None:
        _check_model(form.model, run, path)
    return Submission(path.name, run, has_ranks, form.name, form.link, form.model)


def _last_part(path: Path) -> str:
    """The last part of a path as typed; of `.` that of the folder it stands for."""
    return path.name or path.absolute().name


def _has_ranks(folder: Path) -> bool:
    return os.path.lexists(folder / RANKS_FILE)


def _form(path: Path) -> _Form:
    try:
        with open_regular(path) as stream:
            return msgspec.json.decode(read_at_most(stream, _MOST_BYTES), type=_Form)
    except (msgspec.DecodeError, NotRegularError, TooLargeError) as error:
        problem = str(error)
    except OSError as error:
        problem = error.strerror or type(error).__name__
    except ValueError:
        problem = "a name that no file can have, or text that is not UTF-8"
    raise SubmissionError(
        f"Expected a submission as {_FORM}, got {path.name!r}: {problem}. Fix the file."
    )


def _run_folder(form: _Form, path: Path) -> Path:
    """The folder of the run, which a file that others sent must not lead out of."""
    parts = PurePosixPath(form.run)
    folder = path.parent / form.run
    is_inside = not parts.is_absolute() and ".." not in parts.parts
    try:
        root = path.parent.resolve()
        is_inside = is_inside and folder.resolve().is_relative_to(root)
    except (OSError, RuntimeError, ValueError):
        # A loop of links, or a name that no folder can have.
        is_inside = False
    if not is_inside:
        raise _bad_field(
            "run", form.run, "a folder beside or below the file, as run=run", path
        )
    return folder


def _check_text(field: str, text: str, longest: int, path: Path) -> None:
    if not text.strip() or len(text) > longest or not text.isprintable():
        wanted = f"1 to {longest} printable characters"
        raise _bad_field(field, text[:longest], wanted, path)


def _check_link(link: str, path: Path) -> None:
    """Only pages: `javascript:` and the like would run, and no link leads into folders of
    this machine.
    """
    _check_text("link", link, _LONGEST_LINK, path)
    try:
        parts = urlsplit(link)
        is_page = parts.scheme in _SCHEMES and bool(parts.hostname)
        is_plain = parts.username is None and re.search(r'[\s"<>\\]', link) is None
    except ValueError:
        is_page = is_plain = False
    if not is_page or not is_plain:
        wanted = "an address that begins with https:// and holds no user's name"
        raise _bad_field("link", link, wanted, path)


def _check_model(model: str, run: Run, path: Path) -> None:
    measured = sorted({outcome.case.model for outcome in run.measured.outcomes})
    if model not in measured:
        wanted = f"a model of the run, one of {', '.join(measured) or 'none'}"
        raise _bad_field("model", model, wanted, path)


def _bad_field(field: str, got: str, wanted: str, path: Path) -> SubmissionError:
    return SubmissionError(
        f"Expected {field} to be {wanted}, got {field}={got!r} in {path.name!r}. Fix the"
        " file."
    )
