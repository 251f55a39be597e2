"""`robust.toml`: read strictly, with the line of whatever is wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .catalogue import unknown_name
from .errors import ConfigError
from .files import require_regular
from .foreign import attempted
from .model_table import ModelTable, model_table
from .shown_values import shown_value
from .toml_table import TIMEOUT, TomlTable, place, seconds_of
from .toml_text import TomlError, parsed_toml

TABLES = ("gate", "models", "datasets", "tracking")
TRACKING_KEYS = ("mlflow", "experiment")
_EXPERIMENT = "retrieval under occlusion"


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


def read_config_file(path: Path) -> ConfigFile:
    """Read and check the file; `ConfigError` with the line of the first thing that is wrong."""
    text, tables = _parsed(path)
    known = (*TABLES, TIMEOUT)
    for name in tables:
        if name not in known:
            where = place(path, text, None, 0, name)
            raise ConfigError(f"{where}: {unknown_name('table', name, known)}")
    timeout = None
    if TIMEOUT in tables:
        where = place(path, text, None, 0, TIMEOUT)
        timeout = seconds_of(where, TIMEOUT, tables[TIMEOUT])
    gates = tables.get("gate", [])
    if not (isinstance(gates, list) and all(isinstance(gate, dict) for gate in gates)):
        given = "[gate]" if isinstance(gates, dict) else f"gate={shown_value(gates)}"
        raise ConfigError(
            f"{place(path, text, '[gate]', 0)}: expected [[gate]] tables, got {given}."
            " A gate begins with two brackets: [[gate]]."
        )

    def named(family: str, name: str) -> TomlTable:
        return TomlTable(path, text, f"[{family}.{name}]", tables[family][name])

    tracking = None
    if "tracking" in tables:
        tracking = _tracking(TomlTable(path, text, "[tracking]", tables["tracking"]))
    models = [
        model_table(name, named("models", name)) for name in tables.get("models", {})
    ]
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
    return attempted(
        lambda: _read(path),
        lambda error: ConfigError(_problem(path.name, error)),
        (OSError, ValueError, RecursionError),
    )


def _read(path: Path) -> tuple[str, dict[str, Any]]:
    require_regular(path)
    text = path.read_text(encoding="utf-8")
    return text, parsed_toml(text)


def _problem(name: str, error: BaseException) -> str:
    """What is wrong with the file of that name, without its folder and its content."""
    if isinstance(error, TomlError):
        return f"Expected TOML in {name}, got: {error}. Fix that line."
    if isinstance(error, OSError):
        reason = error.strerror or str(error)
        return f"Expected a readable UTF-8 file, got {name}: {reason}. Fix the file."
    if isinstance(error, UnicodeDecodeError):
        return f"Expected a readable UTF-8 file, got {name}: {error}. Fix the file."
    # Thousands of digits, or of brackets.
    return (
        f"Expected TOML in {name}, got a number too long or tables too deep to be read"
        f" ({type(error).__name__}). Fix the file."
    )


def _tracking(table: TomlTable) -> TrackingTable:
    content = table.content
    table.require_table()
    table.check_keys(TRACKING_KEYS, "key of [tracking]")
    for key, value in content.items():
        if not isinstance(value, str) or not value:
            raise ConfigError(
                f"{table.place(key)}: expected a text, got {key}={shown_value(value)}."
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


def _dataset(name: str, table: TomlTable) -> DatasetTable:
    content = table.content
    table.require_table()
    loader = content.get("loader", name)
    if not isinstance(loader, str):
        raise ConfigError(
            f"{table.place('loader')}: expected a text, got"
            f" loader={shown_value(loader)}."
        )
    return DatasetTable(
        name=name,
        loader=loader,
        options={key: value for key, value in content.items() if key != "loader"},
        folder=table.path.parent,
        places=table.places(),
    )
