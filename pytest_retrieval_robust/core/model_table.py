"""`[models.NAME]` of `robust.toml`: a model of the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import ConfigError
from .shown_values import shown_value
from .toml_table import TIMEOUT, TomlTable, seconds_of

MODEL_KEYS: Mapping[str, tuple[type, ...]] = {
    "loader": (str,),
    "architecture": (str,),
    "checkpoint": (str,),
    "weights": (str,),
    "tokenizer": (str,),
    "image_processor": (str,),
    "preprocessing": (str, dict),
    "context_length": (int,),
    "trust_remote_code": (bool,),
    "required": (bool,),
    "command": (list,),
}
_ANSWER_TIMEOUT = "answer_timeout"
_KINDS = {
    str: "a text",
    dict: "a table",
    int: "a whole number",
    bool: "true or false",
    list: "a list",
}
_COMMAND = "command"
COMMAND_KEYS = ("loader", _COMMAND, TIMEOUT, _ANSWER_TIMEOUT, "required")
"""Keys of a model that a command serves: all else is that command's own."""
_OPTIONS = (
    "architecture",
    "weights",
    "image_processor",
    "preprocessing",
    "context_length",
    "trust_remote_code",
)


@dataclass(frozen=True, repr=False)
class ModelTable:
    """`[models.NAME]`: a model of the user's own."""

    name: str
    loader: str | None
    """`transformers`, `open_clip` or a model of the catalogue; None for a folder that
    describes itself.
    """
    checkpoint: str
    """An absolute path, or `hf:ORG/NAME[@REV]`."""
    tokenizer: str | None
    options: Mapping[str, Any]
    required: bool
    timeout: float | None
    """Seconds for its loading, and for each of its sweeps and searches."""
    places: Mapping[str, str]
    """Where each key stands, and "" the table: `robust.toml, line 3`."""
    folder: Path
    """What relative paths are relative to."""
    command: tuple[str, ...] = ()
    """The command that serves the model; empty for a checkpoint."""
    answer_timeout: float | None = None
    """Seconds that an answer of the command may take; None for the default."""


def model_table(name: str, table: TomlTable) -> ModelTable:
    content = table.content
    table.require_table()
    known = (*MODEL_KEYS, TIMEOUT, _ANSWER_TIMEOUT)
    table.check_keys(known, "key of [models.NAME]")
    timeout = _timeout(table, TIMEOUT)
    for key in MODEL_KEYS.keys() & content.keys():
        value = content[key]
        kinds = MODEL_KEYS[key]
        # To Python true is a whole number.
        is_wrong_bool = isinstance(value, bool) and bool not in kinds
        if is_wrong_bool or not isinstance(value, kinds):
            expected = " or ".join(_KINDS[kind] for kind in kinds)
            raise ConfigError(
                f"{table.place(key)}: expected {expected}, got"
                f" {key}={shown_value(value)}."
            )
    if content.get("loader") == _COMMAND or _COMMAND in content:
        return _served_model(name, table)
    if _ANSWER_TIMEOUT in content:
        raise ConfigError(
            f"{table.place(_ANSWER_TIMEOUT)}: expected answer_timeout beside command"
            " alone, got one for a checkpoint. Write timeout, or remove it."
        )
    if "checkpoint" not in content:
        raise ConfigError(
            f'{table.place()}: expected checkpoint = "FILE or FOLDER" in'
            f" [models.{name}], got none. Add it."
        )
    # A folder beside the file, else a repository of the hub.
    for key in ("tokenizer", "image_processor"):
        if key in content and (table.path.parent / content[key]).exists():
            content = {**content, key: _beside(table.path, content[key])}
    return ModelTable(
        name=name,
        loader=content.get("loader"),
        checkpoint=_beside(table.path, content["checkpoint"]),
        tokenizer=content.get("tokenizer"),
        options={key: content[key] for key in _OPTIONS if key in content},
        required=content.get("required", False),
        timeout=timeout,
        places=table.places(),
        folder=table.path.parent,
    )


def _served_model(name: str, table: TomlTable) -> ModelTable:
    """A model with `loader = "command"`."""
    content = table.content
    if content.get("loader") != _COMMAND:
        raise ConfigError(
            f'{table.place(_COMMAND)}: expected loader = "command" beside command, got'
            f" loader={shown_value(content.get('loader'))}. Fix loader, or remove command."
        )
    for key in content:
        if key not in COMMAND_KEYS:
            raise ConfigError(
                f"{table.place(key)}: expected no {key} beside command, got one. Give it"
                " to the command as an argument, or write it into the file that serves."
            )
    command = content.get(_COMMAND)
    if not command or not all(_is_argument(argument) for argument in command):
        raise ConfigError(
            f'{table.place(_COMMAND)}: expected command = ["PROGRAM", "ARGUMENT", ...]'
            f" in [models.{name}], got"
            f" command={shown_value(command)}. Write each word as a text."
        )
    return ModelTable(
        name=name,
        loader=_COMMAND,
        checkpoint="",
        tokenizer=None,
        options={},
        required=content.get("required", False),
        places=table.places(),
        folder=table.path.parent,
        command=tuple(command),
        timeout=_timeout(table, TIMEOUT),
        answer_timeout=_timeout(table, _ANSWER_TIMEOUT),
    )


def _timeout(table: TomlTable, key: str) -> float | None:
    if key not in table.content:
        return None
    return seconds_of(table.place(key), key, table.content[key])


def _is_argument(value: object) -> bool:
    return isinstance(value, str) and value != "" and "\0" not in value


def _beside(path: Path, written: str) -> str:
    """A path as written in the file: relative to the file's folder; a locator as it is."""
    return written if written.startswith("hf:") else str(path.parent / written)
