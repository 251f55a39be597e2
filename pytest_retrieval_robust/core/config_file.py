"""`robust.toml`: read strictly, with the line of whatever is wrong."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .catalogue import unknown_name
from .errors import ConfigError
from .files import require_regular
from .toml_text import TomlError, parsed_toml

_TABLES = ("gate", "models", "datasets", "tracking")
_TRACKING_KEYS = ("mlflow", "experiment")
_MODEL_KEYS: Mapping[str, tuple[type, ...]] = {
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
_TIMEOUT = "timeout"
_ANSWER_TIMEOUT = "answer_timeout"
LONGEST_SECONDS = 1e8
"""Of a time-out: three years. Clocks of the system take no more."""
_KINDS = {
    str: "a text",
    dict: "a table",
    int: "a whole number",
    bool: "true or false",
    list: "a list",
}
_COMMAND = "command"
_COMMAND_KEYS = ("loader", _COMMAND, _TIMEOUT, _ANSWER_TIMEOUT, "required")
"""Keys of a model that a command serves: all else is that command's own."""
_EXPERIMENT = "retrieval under occlusion"
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


@dataclass(frozen=True, repr=False)
class DatasetTable:
    """`[datasets.NAME]`: where the user's data lies, and which part of it."""

    name: str
    loader: str
    """A data set of the catalogue: NAME itself, unless the table says otherwise."""
    options: Mapping[str, Any]
    folder: Path
    """What relative paths are relative to."""
    places: Mapping[str, str]
    """Where each key stands, and "" the table: `robust.toml, line 3`."""


@dataclass(frozen=True, repr=False)
class TrackingTable:
    """`[tracking]`: where a run is sent once it is judged."""

    mlflow: str
    """A tracking server, as MLflow names it: `http://127.0.0.1:5000`. It may hold a
    password: never to be shown.
    """
    experiment: str


@dataclass(frozen=True, repr=False)
class ConfigFile:
    """A parsed `robust.toml`."""

    path: Path
    text: str
    models: tuple[ModelTable, ...]
    datasets: tuple[DatasetTable, ...]
    gates: tuple[Mapping[str, Any], ...]
    tracking: TrackingTable | None = None
    timeout: float | None = None
    """Seconds for the loading of a model, and for each sweep and search; None for no limit."""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    def gate_place(self, index: int, key: str | None = None) -> str:
        """`robust.toml, line 12`: where gate number `index` (from 0), or a key of it, stands."""
        return place(self.path, self.text, "[[gate]]", index, key)


@dataclass(frozen=True, repr=False)
class _Table:
    """A table of the file, with what messages about it need."""

    path: Path
    text: str
    header: str
    """The table's name in square brackets, as it opens in the file."""
    content: Any

    def place(self, key: str | None = None) -> str:
        """`robust.toml, line 3`: where the table, or a key of it, stands."""
        return place(self.path, self.text, self.header, 0, key)

    def places(self) -> dict[str, str]:
        """Where each key stands, and "" the table."""
        return {"": self.place(), **{key: self.place(key) for key in self.content}}

    def require_table(self, shown: str) -> None:
        if not isinstance(self.content, dict):
            raise ConfigError(
                f"{self.place()}: expected a table {self.header}, got {shown}."
            )

    def check_keys(self, known: Collection[str], kind: str) -> None:
        for key in self.content:
            if key not in known:
                raise ConfigError(
                    f"{self.place(key)}: {unknown_name(kind, key, known)}"
                )


def read_config_file(path: Path) -> ConfigFile:
    """Read and check the file; `ConfigError` with the line of the first thing that is wrong."""
    text, tables = _parsed(path)
    known = (*_TABLES, _TIMEOUT)
    for name in tables:
        if name not in known:
            where = place(path, text, None, 0, name)
            raise ConfigError(f"{where}: {unknown_name('table', name, known)}")
    timeout = None
    if _TIMEOUT in tables:
        where = place(path, text, None, 0, _TIMEOUT)
        timeout = _seconds(where, _TIMEOUT, tables[_TIMEOUT])
    gates = tables.get("gate", [])
    if not (isinstance(gates, list) and all(isinstance(gate, dict) for gate in gates)):
        raise ConfigError(
            f"{place(path, text, '[gate]', 0)}: expected [[gate]] tables, got"
            f" gate={gates!r}."
        )

    def named(family: str, name: str) -> _Table:
        return _Table(path, text, f"[{family}.{name}]", tables[family][name])

    tracking = None
    if "tracking" in tables:
        tracking = _tracking(_Table(path, text, "[tracking]", tables["tracking"]))
    models = [_model(name, named("models", name)) for name in tables.get("models", {})]
    datasets = [
        _dataset(name, named("datasets", name)) for name in tables.get("datasets", {})
    ]
    return ConfigFile(
        path=path,
        text=text,
        models=tuple(models),
        datasets=tuple(datasets),
        gates=tuple(gates),
        tracking=tracking,
        timeout=timeout,
    )


def _parsed(path: Path) -> tuple[str, dict[str, Any]]:
    """The file's text and its tables."""
    try:
        require_regular(path)
        text = path.read_text(encoding="utf-8")
        return text, parsed_toml(text)
    except TomlError as error:
        raise ConfigError(
            f"Expected TOML in {path}, got: {error}. Fix that line."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"Expected a readable UTF-8 file, got {path}: {error}. Fix the file."
        ) from error
    except (ValueError, RecursionError) as error:
        # Thousands of digits, or of brackets.
        raise ConfigError(
            f"Expected TOML in {path}, got a number too long or tables too deep to be"
            f" read ({type(error).__name__}). Fix the file."
        ) from error


def place(
    path: Path, text: str, header: str | None, index: int = 0, key: str | None = None
) -> str:
    """`FILE, line N` of the `index`-th table that opens with `header`, or of `key` in it.

    A table may be written in other ways than with its header: then it is the file's
    first line, or the first one after it that holds the key.
    """
    lines = text.splitlines()
    starts = [
        number
        for number, line in enumerate(lines)
        if header is not None and line.strip().startswith(header)
    ]
    start = 0
    if starts:
        start = starts[min(index, len(starts) - 1)]
    if key is not None:
        start = _line_of_key(lines, start, key)
    return f"{path.name}, line {start + 1}"


def _line_of_key(lines: Sequence[str], start: int, key: str) -> int:
    """The first line from `start` on that sets `key`; `start` where none does."""
    # What follows an equals sign is a value.
    word = re.compile(rf'(^|(?<!=)[\s,{{\[.])"?{re.escape(key)}"?\s*([=\].]|$)')
    for number in range(start, len(lines)):
        if word.search(lines[number]):
            return number
    return start


def _kind(value: object) -> str:
    """What a value is, where its text may hold a password."""
    return "an empty text" if value == "" else f"a value of type {type(value).__name__}"


def _tracking(table: _Table) -> TrackingTable:
    content = table.content
    table.require_table(_kind(content))
    table.check_keys(_TRACKING_KEYS, "key of [tracking]")
    for key, value in content.items():
        if not isinstance(value, str) or not value:
            raise ConfigError(
                f"{table.place(key)}: expected a text, got {key}={_kind(value)}."
            )
    if "mlflow" not in content:
        raise ConfigError(
            f'{table.place()}: expected mlflow = "http://SERVER:PORT" in [tracking], got'
            " none. Add it."
        )
    server = content["mlflow"]
    if "://" not in server and server != "databricks":
        raise ConfigError(
            f'{table.place("mlflow")}: expected mlflow = "http://SERVER:PORT", got one'
            " without ://. Fix it."
        )
    return TrackingTable(server, content.get("experiment", _EXPERIMENT))


def _seconds(where: str, key: str, value: object) -> float:
    """A time-out that was written under a key."""
    # To Python true is a number, and TOML has inf and nan.
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and 0 < value < LONGEST_SECONDS:  # type: ignore[operator]
        return float(value)  # type: ignore[arg-type]
    raise ConfigError(
        f"{where}: expected seconds, a number above 0, got {key}={value!r}. Leave it"
        " out for the default."
    )


def _timeout(table: _Table, key: str) -> float | None:
    if key not in table.content:
        return None
    return _seconds(table.place(key), key, table.content[key])


def _model(name: str, table: _Table) -> ModelTable:
    content = table.content
    table.require_table(repr(content))
    known = (*_MODEL_KEYS, _TIMEOUT, _ANSWER_TIMEOUT)
    table.check_keys(known, "key of [models.NAME]")
    timeout = _timeout(table, _TIMEOUT)
    for key in _MODEL_KEYS.keys() & content.keys():
        value = content[key]
        kinds = _MODEL_KEYS[key]
        # To Python true is a whole number.
        is_wrong_bool = isinstance(value, bool) and bool not in kinds
        if is_wrong_bool or not isinstance(value, kinds):
            expected = " or ".join(_KINDS[kind] for kind in kinds)
            raise ConfigError(
                f"{table.place(key)}: expected {expected}, got {key}={value!r}."
            )
    if content.get("loader") == _COMMAND or _COMMAND in content:
        return _served_model(name, table)
    if _ANSWER_TIMEOUT in content:
        raise ConfigError(
            f"{table.place(_ANSWER_TIMEOUT)}: expected answer_timeout beside command"
            f" alone, got answer_timeout={content[_ANSWER_TIMEOUT]!r} for a checkpoint."
            " Write timeout, or remove it."
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


def _served_model(name: str, table: _Table) -> ModelTable:
    """A model with `loader = "command"`."""
    content = table.content
    if content.get("loader") != _COMMAND:
        raise ConfigError(
            f'{table.place(_COMMAND)}: expected loader = "command" beside command, got'
            f" loader={content.get('loader')!r}. Fix loader, or remove command."
        )
    for key in content:
        if key not in _COMMAND_KEYS:
            raise ConfigError(
                f"{table.place(key)}: expected no {key} beside command, got one. Give it"
                " to the command as an argument, or write it into the file that serves."
            )
    command = content.get(_COMMAND)
    if not command or not all(_is_argument(argument) for argument in command):
        raise ConfigError(
            f'{table.place(_COMMAND)}: expected command = ["PROGRAM", "ARGUMENT", ...]'
            f" in [models.{name}], got command={command!r}. Write each word as a text."
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
        timeout=_timeout(table, _TIMEOUT),
        answer_timeout=_timeout(table, _ANSWER_TIMEOUT),
    )


def _is_argument(value: object) -> bool:
    return isinstance(value, str) and value != "" and "\0" not in value


def _dataset(name: str, table: _Table) -> DatasetTable:
    content = table.content
    table.require_table(repr(content))
    loader = content.get("loader", name)
    if not isinstance(loader, str):
        raise ConfigError(
            f"{table.place('loader')}: expected a text, got loader={loader!r}."
        )
    return DatasetTable(
        name=name,
        loader=loader,
        options={key: value for key, value in content.items() if key != "loader"},
        folder=table.path.parent,
        places=table.places(),
    )


def _beside(path: Path, written: str) -> str:
    """A path as written in the file: relative to the file's folder; a locator as it is."""
    return written if written.startswith("hf:") else str(path.parent / written)
