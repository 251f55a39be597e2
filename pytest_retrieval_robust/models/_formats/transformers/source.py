"""A checkpoint that transformers reads, and the errors for what is wrong with its parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

import torch

from ....core.errors import ConfigError, ModelError, NotOnThisMachineError, RobustError
from ....core.foreign import described
from ... import LoadRequest
from ..._files.attempt import attempt, is_path_like, missing_package, shown_path
from ..._files.checkpoint import weight_files
from ..._files.hub import how_to_download
from ..._files.hub_cache import cached_folder, is_of_timm, model_type_in
from ..._files.network import can_be_asked
from ..._files.tokenizer import missing_tokenizer, needs_package
from ..._files.weights_file import unreadable_weights
from ..quiet import quietly
from .unfit import ELSEWHERE

T = TypeVar("T")
Part: TypeAlias = Literal["configuration", "weights", "image processor", "tokenizer"]

PROCESSORS = ("preprocessor_config.json", "processor_config.json")
"""Files of an image processor."""
# The words of each part in the last of the messages below.
_ARTICLES: dict[Part, str] = {
    "configuration": "a",
    "weights": "its",
    "image processor": "an",
    "tokenizer": "a",
}
_COPY_AGAIN = (
    "Copy or download the folder again, and compare its sha256 with the publisher's."
)
_ADVICE: dict[Part, str] = {
    "configuration": _COPY_AGAIN,
    "weights": _COPY_AGAIN,
    "image processor": (
        "Save the processor beside the model again (processor.save_pretrained(FOLDER))."
    ),
    "tokenizer": (
        "Save the tokenizer beside the model (tokenizer.save_pretrained(FOLDER)), or"
        " pass tokenizer=FOLDER."
    ),
}


_OWN_RECIPES = {"chexficient_clip": "chexficient"}
"""Types of models with code of their own -> the name that loads them without it."""


@dataclass(frozen=True)
class Source:
    """A folder or a hub repository, and how it may be read."""

    name: str
    location: str = field(repr=False)
    """A path, or ORG/NAME of the hub."""
    revision: str | None
    request: LoadRequest
    trust_remote_code: bool
    is_checkpoint: bool = True
    """Whether it is what the user trusts or not: false for a part from elsewhere."""

    @property
    def permissions(self) -> dict[str, Any]:
        """What the library may do, as the options of its readers."""
        return {
            "local_files_only": not self.request.may_download,
            "trust_remote_code": self.trust_remote_code,
        }

    @property
    def options(self) -> dict[str, Any]:
        """The options of the library's readers for this source."""
        return {**self.permissions, "revision": self.revision}

    @property
    def processor_elsewhere(self) -> Source | None:
        """Where the user says that the image processor lies, if not beside the weights.

        `image_processor` of the request's options: a folder, or ORG/NAME[@REV].
        """
        place = self.request.options.get("image_processor")
        if place is None:
            return None
        if not isinstance(place, str | PathLike) or not fspath(place):
            raise ConfigError(
                f"Expected image_processor=FOLDER or ORG/NAME for {self.name}, got"
                f" image_processor={place!r}. Name one, or leave it out."
            )
        location = fspath(place).removeprefix("hf:")
        revision = None
        if not Path(location).exists():
            location, _, revision = location.partition("@")
        return self.at(location, revision or None)

    def at(self, location: str, revision: str | None = None) -> Source:
        """The same model's files at another place, whose code the user does not trust."""
        other = replace(self, location=location, revision=revision)
        if other._place == self._place:
            return other
        return replace(other, trust_remote_code=False, is_checkpoint=False)

    @property
    def _place(self) -> tuple[str, str | None]:
        path = Path(self.location)
        if path.exists():
            return str(path.resolve()), None
        return self.location, self.revision

    @property
    def is_path(self) -> bool:
        return is_path_like(self.location)

    @property
    def folder(self) -> Path | None:
        """Where its files lie on this machine, if they do."""
        if Path(self.location).is_dir():
            return Path(self.location)
        return cached_folder(self.location, self.revision)

    def has_no_processor(self) -> bool:
        """Whether its files are on this machine, without an image processor."""
        folder = self.folder
        if folder is None:
            return False
        return not any((folder / name).is_file() for name in PROCESSORS)

    def read(self, part: Part, reader: Callable[[], T]) -> T:
        """One part of it, or the error that says what is wrong with that part."""
        return attempt(lambda: silently(reader), partial(reading_error, self, part))


def silently(read: Callable[[], T]) -> T:
    with quietly():
        return read()


def reading_error(source: Source, part: Part, error: BaseException) -> RobustError:
    """The error for a part that transformers could not read: the first reason that fits."""
    for reason in _REASONS:
        refusal = reason(source, part, error)
        if refusal is not None:
            return refusal
    return ModelError(
        f"Expected a whole transformers checkpoint for {source.name}, got"
        f" {_ARTICLES[part]} {part} that cannot be read: {described(error)}."
        f" {_ADVICE[part]}"
    )


def needs_code(source: Source, part: Part, error: BaseException) -> RobustError | None:
    """The refusal of a part that has code of its own, which nothing says to run."""
    text = str(error)
    if "custom code" not in text and "trust_remote_code" not in text:
        return None
    if not source.is_checkpoint:
        return _other_needs_code(source, part)
    folder = source.folder
    own = None if folder is None else _OWN_RECIPES.get(model_type_in(folder))
    remedy = (
        "If you have read it and trust it, set trust_remote_code = true in its"
        " [models.NAME] table. Code for other versions of its libraries runs in an"
        ' environment of its own: loader = "command".'
    )
    if own is not None:
        remedy = f"Load it as {own}, which runs none of it."
    return ModelError(
        f"Expected a checkpoint of {source.name} that needs no code of its own, got one"
        f" that does; it was not run. {remedy}"
    )


def _other_needs_code(source: Source, part: Part) -> RobustError:
    """Code of another place than the checkpoint's, which no one said to trust."""
    shown = shown_path(source.location)
    return ModelError(
        f"Expected {_ARTICLES[part]} {part} of {source.name} that needs no code of its"
        f" own, got one that does ({shown}); it was not run: trust_remote_code is for"
        " the checkpoint's own folder or repository alone. Name one of a class of"
        " transformers, or copy its files into the checkpoint's folder if you have read"
        " the code and trust it."
    )


def _has_no_configuration(
    source: Source, part: Part, error: BaseException
) -> RobustError | None:
    """A repository in a form of its authors' own."""
    if part != "configuration" or "file named config.json" not in str(error):
        return None
    return ModelError(
        f"Expected a repository with config.json or open_clip_config.json for"
        f" {source.name}, got one with neither. A file of one of the published layouts"
        " loads as checkpoint in a [models.NAME] table, with the model's name as"
        f" loader. {ELSEWHERE}"
    )


def _is_image_tower(source: Source, part: Part, _: BaseException) -> RobustError | None:
    folder = source.folder
    if part != "configuration" or folder is None:
        return None
    if not is_of_timm(folder / "config.json"):
        return None
    return ModelError(
        f"Expected a dual encoder for {source.name}, got timm's configuration of an"
        " image tower, which embeds no texts. Use the open_clip model that it is from"
        " (open_clip:ARCHITECTURE/TAG)."
    )


def _lacks_package(
    source: Source, part: Part, error: BaseException
) -> RobustError | None:
    package = missing_package(error)
    return None if package is None else needs_package(source.name, part, package)


def _is_elsewhere(source: Source, _: Part, error: BaseException) -> RobustError | None:
    """A repository that is not cached on this machine."""
    if source.is_path or source.folder is not None:
        return None
    # Not to a user who already allowed them, nor where they would be of no use.
    first = ""
    if can_be_asked() and not source.request.may_download:
        first = "Allow downloads (--robust-download), or: "
    return NotOnThisMachineError(
        f"Expected the weights of {source.name} in the Hugging Face cache or on the"
        f" hub, got {described(error)}. {first}"
        f"{how_to_download(source.location, error)}, or pass local-dir:FOLDER."
    )


def _lacks_tokenizer(
    source: Source, part: Part, _: BaseException
) -> RobustError | None:
    if part != "tokenizer" or source.is_path:
        return None
    # Then it was asked for, and the hub has none.
    if can_be_asked() and source.request.may_download:
        return None
    reason = missing_tokenizer(source.name, source.location)
    return None if reason is None else NotOnThisMachineError.because(reason)


def _lacks_processor(
    source: Source, part: Part, error: BaseException
) -> RobustError | None:
    if part != "image processor" or source.is_path or not source.has_no_processor():
        return None
    return NotOnThisMachineError(
        f"Expected the image processor of {source.name} in the Hugging Face cache or on"
        f" the hub, got {described(error)}. {how_to_download(source.location, error)}."
    )


def _is_a_pickle_for_newer_torch(
    source: Source, part: Part, error: BaseException
) -> RobustError | None:
    # transformers refuses these, because older ones can be made to run what is in them.
    if part != "weights" or "torch to at least" not in str(error):
        return None
    return ModelError(
        f"Expected torch 2.6 or newer for {source.name}, whose weights are a pickle"
        f" (pytorch_model.bin), got torch={torch.__version__!r}, which transformers"
        " does not trust with one. Upgrade torch, or save the model as safetensors"
        " (model.save_pretrained(FOLDER))."
    )


def _is_bad_pickle(
    source: Source, part: Part, error: BaseException
) -> RobustError | None:
    folder = source.folder
    if part != "weights" or folder is None:
        return None
    # For a pickle, our own error says what was refused.
    files = weight_files(folder)
    if len(files) != 1 or files[0].suffix == ".safetensors":
        return None
    return unreadable_weights(source.name, files[0], error)


def _is_unknown_type(
    source: Source, part: Part, error: BaseException
) -> RobustError | None:
    if part != "configuration" or "model type" not in str(error):
        return None
    return ModelError(
        f"Expected a model_type of {source.name} that the installed transformers knows,"
        " got one that it does not. Upgrade transformers, or register a loader of"
        " your own."
    )


# In this order: the first that fits is what the user must fix first.
_REASONS = (
    needs_code,
    _has_no_configuration,
    _is_image_tower,
    _lacks_package,
    _is_elsewhere,
    _lacks_tokenizer,
    _lacks_processor,
    _is_a_pickle_for_newer_torch,
    _is_bad_pickle,
    _is_unknown_type,
)
