"""`robust.toml`: read strictly, with the line of whatever is wrong."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .catalogue import unknown_name
from .errors import ConfigError
from .files import require_regular

_TABLES = ("gate", "models", "datasets", "tracking")
_TRACKING_KEYS = ("mlflow", "experiment")
_MODEL_KEYS: Mapping[str, tuple[type, ...]] = {
    "loader": (str,),
    "architecture": (str,),
    "checkpoint": (str,),
    "tokenizer": (str,),
    "preprocessing": (str, dict),
    "context_length": (int,),
    "trust_remote_code": (bool,),
    "required": (bool,),
}
_KINDS = {str: "a text", dict: "a table", int: "a whole number", bool: "true or false"}
_OPTIONS = ("architecture", "preprocessing", "context_length", "trust_remote_code")


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
    places: Mapping[str, str]
    """Where each key stands, and "" the table: `robust.toml, line 3`."""


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

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    def gate_place(self, index: int, key: str | None = None) -> str:
        """`robust.toml, line 12`: where gate number `index` (from 0), or a key of it, stands."""
        return place(self.path, self.text, "[[gate]]", index, key)


def read_config_file(path: Path) -> ConfigFile:
    """Read and check the file; `ConfigError` with the line of the first thing that is wrong."""
    try:
        require_regular(path)
        text = path.read_text(encoding="utf-8")
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"Expected TOML in {path}, got: {error}. Fix that line."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"Expected a readable UTF-8 file, got {path}: {error}. Fix the file."
        ) from error
    except (ValueError, RecursionError) as error:  # thousands of digits or of brackets
        raise ConfigError(
            f"Expected TOML in {path}, got a number too long or tables too deep to be"
            f" read ({type(error).__name__}). Fix the file."
        ) from error
    _check_keys(tables, _TABLES, "table", lambda key: place(path, text, None, 0, key))
    gates = tables.get("gate", [])
    if not (isinstance(gates, list) and all(isinstance(gate, dict) for gate in gates)):
        raise ConfigError(
            f"{place(path, text, '[gate]', 0)}: expected [[gate]] tables, got"
            f" gate={gates!r}."
        )
    models = tables.get("models", {})
    datasets = tables.get("datasets", {})
    return ConfigFile(
        path,
        text,
        tuple(_model(path, text, name, models[name]) for name in models),
        tuple(_dataset(path, text, name, datasets[name]) for name in datasets),
        tuple(gates),
        None if "tracking" not in tables else _tracking(path, text, tables["tracking"]),
    )


def place(
    path: Path, text: str, header: str | None, index: int = 0, key: str | None = None
) -> str:
    """`FILE, line N` of the `index`-th table that opens with `header`, or of `key` in it."""
    lines = text.splitlines()
    starts = (
        [0]
        if header is None
        else [n for n, line in enumerate(lines) if line.strip().startswith(header)]
    )
    line = starts[min(index, len(starts) - 1)] if starts else 0
    if key is not None:
        word = re.compile(rf'(^|[\s,{{\[.])"?{re.escape(key)}"?\s*([=\].]|$)')
        line = next((n for n in range(line, len(lines)) if word.search(lines[n])), line)
    return f"{path.name}, line {line + 1}"


def _check_keys(
    table: Mapping[str, Any], known: Collection[str], kind: str, where: Any
) -> None:
    for key in table:
        if key not in known:
            raise ConfigError(f"{where(key)}: {unknown_name(kind, key, known)}")


def _kind(value: object) -> str:
    """What a value is, where its text may hold a password."""
    return "an empty text" if value == "" else f"a value of type {type(value).__name__}"


def _tracking(path: Path, text: str, table: Any) -> TrackingTable:
    def where(key: str | None = None) -> str:
        return place(path, text, "[tracking]", 0, key)

    if not isinstance(table, dict):
        raise ConfigError(
            f"{where()}: expected a table [tracking], got {_kind(table)}."
        )
    _check_keys(table, _TRACKING_KEYS, "key of [tracking]", where)
    for key, value in table.items():
        if not isinstance(value, str) or not value:
            raise ConfigError(
                f"{where(key)}: expected a text, got {key}={_kind(value)}."
            )
    if "mlflow" not in table:
        raise ConfigError(
            f'{where()}: expected mlflow = "http://SERVER:PORT" in [tracking], got'
            " none. Add it."
        )
    if "://" not in table["mlflow"] and table["mlflow"] != "databricks":
        raise ConfigError(
            f'{where("mlflow")}: expected mlflow = "http://SERVER:PORT", got one'
            " without ://. Mend it."
        )
    return TrackingTable(
        table["mlflow"], table.get("experiment", "retrieval under occlusion")
    )


def _model(path: Path, text: str, name: str, table: Any) -> ModelTable:
    def where(key: str | None = None) -> str:
        return place(path, text, f"[models.{name}]", 0, key)

    if not isinstance(table, dict):
        raise ConfigError(
            f"{where()}: expected a table [models.{name}], got {table!r}."
        )
    _check_keys(table, _MODEL_KEYS, "key of [models.NAME]", where)
    for key, value in table.items():
        kinds = _MODEL_KEYS[key]
        if not isinstance(value, kinds) or (
            isinstance(value, bool) and bool not in kinds
        ):
            wanted = " or ".join(_KINDS[kind] for kind in kinds)
            raise ConfigError(f"{where(key)}: expected {wanted}, got {key}={value!r}.")
    if "checkpoint" not in table:
        raise ConfigError(
            f'{where()}: expected checkpoint = "FILE or FOLDER" in [models.{name}], got'
            " none. Add it."
        )
    tokenizer = table.get("tokenizer")
    return ModelTable(
        name=name,
        loader=table.get("loader"),
        checkpoint=_beside(path, table["checkpoint"]),
        # A folder beside the file, else a repository of the hub.
        tokenizer=(
            tokenizer
            if tokenizer is None or not (path.parent / tokenizer).exists()
            else _beside(path, tokenizer)
        ),
        options={key: table[key] for key in _OPTIONS if key in table},
        required=table.get("required", False),
        places={"": where(), **{key: where(key) for key in table}},
    )


def _dataset(path: Path, text: str, name: str, table: Any) -> DatasetTable:
    def where(key: str | None = None) -> str:
        return place(path, text, f"[datasets.{name}]", 0, key)

    if not isinstance(table, dict):
        raise ConfigError(
            f"{where()}: expected a table [datasets.{name}], got {table!r}."
        )
    loader = table.get("loader", name)
    if not isinstance(loader, str):
        raise ConfigError(f"{where('loader')}: expected a text, got loader={loader!r}.")
    options = {key: value for key, value in table.items() if key != "loader"}
    return DatasetTable(
        name,
        loader,
        options,
        path.parent,
        {"": where(), **{key: where(key) for key in table}},
    )


def _beside(path: Path, written: str) -> str:
    """A path as written in the file: relative to the file's folder; a locator as it is."""
    return written if written.startswith("hf:") else str(path.parent / written)
