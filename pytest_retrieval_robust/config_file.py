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

_TABLES = ("gate", "models")
_MODEL_KEYS = {"loader": str, "checkpoint": str, "required": bool}
_LOADERS = ("transformers", "open_clip")


@dataclass(frozen=True)
class ModelTable:
    """`[models.NAME]`: a model of the user's own, from a folder that describes itself."""

    name: str
    loader: str
    checkpoint: Path
    required: bool


@dataclass(frozen=True)
class ConfigFile:
    """A parsed `robust.toml`."""

    path: Path
    text: str
    models: tuple[ModelTable, ...]
    gates: tuple[Mapping[str, Any], ...]

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    def gate_place(self, index: int, key: str | None = None) -> str:
        """`robust.toml, line 12`: where gate number `index` (from 0), or a key of it, stands."""
        return place(self.path, self.text, "[[gate]]", index, key)


def read_config_file(path: Path) -> ConfigFile:
    """Read and check the file; `ConfigError` with the line of the first thing that is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"Expected TOML in {path}, got: {error}. Mend that line.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"Expected a readable UTF-8 file, got {path}: {error}. Mend the file.") from error
    _check_keys(tables, _TABLES, "table", lambda key: place(path, text, None, 0, key))
    gates = tables.get("gate", [])
    if not (isinstance(gates, list) and all(isinstance(gate, dict) for gate in gates)):
        raise ConfigError(f"{place(path, text, '[gate]', 0)}: expected [[gate]] tables, got gate={gates!r}.")
    models = tables.get("models", {})
    return ConfigFile(path, text, tuple(_model(path, text, name, models[name]) for name in models), tuple(gates))


def place(path: Path, text: str, header: str | None, index: int = 0, key: str | None = None) -> str:
    """`FILE, line N` of the `index`-th table that opens with `header`, or of `key` in it."""
    lines = text.splitlines()
    starts = [0] if header is None else [n for n, line in enumerate(lines) if line.strip().startswith(header)]
    line = starts[min(index, len(starts) - 1)] if starts else 0
    if key is not None:
        word = re.compile(rf'(^|[\s,{{\[.])"?{re.escape(key)}"?\s*([=\].]|$)')
        line = next((n for n in range(line, len(lines)) if word.search(lines[n])), line)
    return f"{path.name}, line {line + 1}"


def _check_keys(table: Mapping[str, Any], known: Collection[str], kind: str, where: Any) -> None:
    for key in table:
        if key not in known:
            raise ConfigError(f"{where(key)}: {unknown_name(kind, key, known)}")


def _model(path: Path, text: str, name: str, table: Any) -> ModelTable:
    def where(key: str | None = None) -> str:
        return place(path, text, f"[models.{name}]", 0, key)

    if not isinstance(table, dict):
        raise ConfigError(f"{where()}: expected a table [models.{name}], got {table!r}.")
    _check_keys(table, _MODEL_KEYS, "key of [models.NAME]", where)
    for key, value in table.items():
        if not isinstance(value, _MODEL_KEYS[key]):
            raise ConfigError(f"{where(key)}: expected a {_MODEL_KEYS[key].__name__}, got {key}={value!r}.")
    loader = table.get("loader", "transformers")
    if loader not in _LOADERS:
        raise ConfigError(f"{where('loader')}: {unknown_name('loader', loader, _LOADERS)}")
    if "checkpoint" not in table:
        raise ConfigError(f'{where()}: expected checkpoint = "FOLDER" in [models.{name}], got none. Add it.')
    return ModelTable(name, loader, path.parent / table["checkpoint"], table.get("required", False))
