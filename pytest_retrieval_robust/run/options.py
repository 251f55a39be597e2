"""Command line, ini values and `robust.toml` become one frozen `Settings`.

Strings are parsed here and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from ..core.errors import ConfigError
from ..core.names import split_list

if TYPE_CHECKING:
    import pytest

    from ..core.config_file import ConfigFile

GROUP = "retrieval-robust"
CACHE_LIMIT = "20GB"
_FILE = "robust.toml"
T = TypeVar("T")


@dataclass(frozen=True)
class OptionSpec:
    """One option: its prefixed flag, its ini twin (the same word with underscores) and
    what it means.
    """

    flag: str
    meaning: str
    metavar: str | None = "LIST"
    alias: str | None = None
    repeatable: bool = False
    typed_alone: bool = False
    """No ini twin: a setting that is easily forgotten must not take the verdict away."""

    @property
    def dest(self) -> str:
        return self.flag.lstrip("-").replace("-", "_")

    @property
    def is_switch(self) -> bool:
        return self.metavar is None

    def add_to(self, group: pytest.OptionGroup, flag: str | None = None) -> None:
        if self.is_switch:
            group.addoption(
                flag or self.flag,
                dest=self.dest,
                action="store_true",
                default=None,
                help=self.meaning,
            )
        else:
            action = "append" if self.repeatable else "store"
            group.addoption(
                flag or self.flag,
                dest=self.dest,
                metavar=self.metavar,
                action=action,
                default=None,
                help=self.meaning,
            )

    def add_ini(self, parser: pytest.Parser) -> None:
        if self.typed_alone:
            return
        kind: Literal["bool", "linelist", "string"] = "string"
        if self.is_switch or self.repeatable:
            kind = "bool" if self.is_switch else "linelist"
        parser.addini(self.dest, self.meaning, type=kind, default=None)


OPTIONS = (
    OptionSpec(
        "--robust-models",
        "models: names, globs, all, or locators hf:ORG/NAME[@REV], open_clip:ARCH/TAG,"
        " local-dir:PATH (default: those of robust.toml, else the embedded ones)",
        alias="--models",
    ),
    OptionSpec(
        "--robust-datasets",
        "data sets: names, globs, or with parameters: synthetic-cxr(prevalence=0.65)"
        " (default: synthetic-cxr)",
        alias="--datasets",
    ),
    OptionSpec(
        "--robust-occluders",
        "occluders: names, globs, all, or with parameters: patches(grid=14,fill=mean)"
        " (default: patches)",
        alias="--occluders",
    ),
    OptionSpec(
        "--robust-levels",
        "fractions of the image area to hide; 0 is always measured (default:"
        " 0,0.1,0.2,0.3,0.4,0.5)",
        alias="--levels",
    ),
    OptionSpec("--robust-seeds", "one mask layout a seed (default: 0)"),
    OptionSpec("--robust-k", "the k of Recall@k (default: 1,5,10)"),
    OptionSpec(
        "--robust-config", "gates and models (default: the nearest robust.toml)", "FILE"
    ),
    OptionSpec(
        "--robust-device", "auto, cpu, cuda, cuda:1 or mps (default: auto)", "NAME"
    ),
    OptionSpec(
        "--robust-precision", "of the encoders: fp32, bf16 or fp16 (default: fp32)", "P"
    ),
    OptionSpec("--robust-batch-size", "images a batch (default: auto)", "N"),
    OptionSpec(
        "--robust-limit",
        "only the first N pairs of each data set: a smoke run, recorded as such",
        "N",
    ),
    OptionSpec(
        "--robust-download",
        "let `all` fetch missing weights; a model asked for by name may always",
        None,
    ),
    OptionSpec(
        "--robust-cache-dir",
        "where embeddings are kept, and weights that are plain files lie (default: the"
        " platform's cache)",
        "DIR",
    ),
    OptionSpec(
        "--robust-no-cache",
        "neither take embeddings from the cache nor keep them there",
        None,
    ),
    OptionSpec(
        "--robust-cache-limit",
        f"how large the kept embeddings may grow, as 500MB (default: {CACHE_LIMIT})",
        "SIZE",
    ),
    OptionSpec(
        "--robust-search-images",
        "images in which the smallest breaking occlusion is searched (default: 100, for"
        " models with a gate on it)",
        "N",
    ),
    OptionSpec(
        "--robust-search-grid",
        "cells along each side for that search (default: 16)",
        "N",
    ),
    OptionSpec("--robust-results", "write the run: run.json and ranks.npz", "DIR"),
    OptionSpec(
        "--robust-overwrite",
        "let the results replace a run that measured more (default: they go beside it)",
        None,
    ),
    OptionSpec(
        "--robust-baseline", "compare with a run that --robust-results wrote", "DIR"
    ),
    OptionSpec(
        "--robust-report",
        "write a report: .html, .md or .json by suffix; repeatable",
        "FILE",
        repeatable=True,
    ),
    OptionSpec(
        "--robust-show-samples",
        "let the HTML report show some images and report texts, which may be patient"
        " data (default: off)",
        None,
    ),
    OptionSpec(
        "--robust-measure-only",
        "measure without a verdict, for exploring: no gate is judged, and the last line"
        " says MEASURED ONLY",
        None,
        typed_alone=True,
    ),
    OptionSpec(
        "--robust-replay",
        "judge a saved run again, by this policy and baseline; nothing is measured",
        "DIR",
        typed_alone=True,
    ),
)
PASSED_ON = ("config", "device", "precision", "cache-dir")
"""Those, without their prefix, that the command `rank` takes too: they say which model
this is, and where it runs.
"""
_BY_FLAG = {option.flag: option for option in OPTIONS}


def add_options(parser: pytest.Parser) -> None:
    group = parser.getgroup(GROUP, "retrieval under occlusion")
    for option in OPTIONS:
        option.add_to(group)
        option.add_ini(parser)


def add_short_aliases(parser: pytest.Parser) -> None:
    """`--models`, `--datasets`, `--occluders`, `--levels`, for a project's own top-level conftest.

    An alias that something else has taken is left to it.
    """
    from argparse import ArgumentError
    from contextlib import suppress

    group = parser.getgroup(GROUP)
    for option in OPTIONS:
        if option.alias is not None:
            with suppress(ValueError, ArgumentError):
                option.add_to(group, option.alias)


@dataclass(frozen=True, repr=False)
class Settings:
    """What was asked for, checked and typed.

    Names are not resolved yet: that needs the catalogues.
    """

    models: tuple[str, ...] | None
    """None: the models of `robust.toml`, else the embedded ones."""
    datasets: tuple[str, ...]
    occluders: tuple[str, ...]
    levels: tuple[float, ...]
    seeds: tuple[int, ...]
    ks: tuple[int, ...]
    device: str
    precision: Literal["fp32", "bf16", "fp16"]
    batch_size: int | None
    limit: int | None
    download: bool
    results: Path | None
    config_file: ConfigFile | None
    cache_dir: Path | None = None
    keeps_embeddings: bool = True
    cache_limit: int = 0
    """Bytes of embeddings."""
    search_images: int | None = None
    """None: 100, and only where a gate asks for the search."""
    search_grid: int = 16
    overwrite: bool = False
    """Whether results may replace those of a run that measured more."""
    baseline: Path | None = None
    replay: Path | None = None
    reports: tuple[Path, ...] = ()
    show_samples: bool = False
    measure_only: bool = False
    """No gate is judged."""
    config_named: bool = False
    """Whether `robust_config` or `--robust-config` says which `robust.toml` it is: then
    none is looked for.
    """
    levels_typed: bool = False
    """Whether `--robust-levels` was typed: then a gate at another level is left out
    rather than wrong.
    """


def any_on_command_line(config: pytest.Config) -> bool:
    """Whether any of our options was typed."""
    return any(config.getoption(option.dest) is not None for option in OPTIONS)


def is_replay(config: pytest.Config) -> bool:
    """Whether a saved run is to be judged again.

    Typed alone: as an ini value it would keep every test from running.
    """
    return bool(config.getoption(_BY_FLAG["--robust-replay"].dest, None))


def measures_only(config: pytest.Config) -> bool:
    """Whether no verdict is asked for."""
    return bool(config.getoption(_BY_FLAG["--robust-measure-only"].dest, None))


def names_config(config: pytest.Config) -> bool:
    """Whether the command line or the ini file names a `robust.toml`."""
    return _Values(config).text("--robust-config") != ""


def read_settings(config: pytest.Config) -> Settings:
    """The settings of this run; `ConfigError` for anything that was not typed right."""
    values = _Values(config)
    if measures_only(config) and is_replay(config):
        raise ConfigError(
            "Expected --robust-measure-only or --robust-replay, got both. A saved run"
            " is replayed to be judged: leave one of them out."
        )
    return Settings(
        models=values.items("--robust-models") or None,
        datasets=values.items("--robust-datasets", "synthetic-cxr"),
        occluders=values.items("--robust-occluders", "patches"),
        levels=values.parsed("--robust-levels", "0,0.1,0.2,0.3,0.4,0.5", parse_levels),
        seeds=values.parsed(
            "--robust-seeds",
            "0",
            lambda flag, text: _integers(flag, text, 0, 2**31 - 1),
        ),
        ks=values.parsed(
            "--robust-k",
            "1,5,10",
            lambda flag, text: _integers(flag, text, 1, 2**31 - 1),
        ),
        device=values.parsed("--robust-device", "auto", _device),
        precision=values.parsed("--robust-precision", "fp32", _precision),
        batch_size=values.parsed("--robust-batch-size", "auto", _batch_size),
        limit=values.parsed("--robust-limit", "", _limit),
        download=values.switch("--robust-download"),
        results=values.path("--robust-results"),
        config_file=_config_file(config, values),
        cache_dir=values.path("--robust-cache-dir"),
        keeps_embeddings=not values.switch("--robust-no-cache"),
        cache_limit=values.parsed("--robust-cache-limit", CACHE_LIMIT, parse_size),
        search_images=values.parsed("--robust-search-images", "", _limit),
        search_grid=values.parsed(
            "--robust-search-grid", "16", lambda flag, text: _integer(flag, text, 2, 64)
        ),
        overwrite=values.switch("--robust-overwrite"),
        baseline=values.path("--robust-baseline"),
        replay=values.path("--robust-replay") if is_replay(config) else None,
        reports=values.paths("--robust-report"),
        show_samples=values.switch("--robust-show-samples"),
        measure_only=measures_only(config),
        config_named=names_config(config),
        levels_typed=config.getoption(_BY_FLAG["--robust-levels"].dest) is not None,
    )


class _Values:
    """The raw strings: the command line wins over the ini file, and that over the default."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def text(self, flag: str, default: str = "") -> str:
        dest = _BY_FLAG[flag].dest
        typed = self._config.getoption(dest)
        chosen = typed if typed is not None else self._config.getini(dest)
        return default if chosen in (None, "") else str(chosen)

    def items(self, flag: str, default: str = "") -> tuple[str, ...]:
        text = self.text(flag, default)
        return tuple(dict.fromkeys(split_list(flag, text))) if text else ()

    def parsed(self, flag: str, default: str, parse: Callable[[str, str], T]) -> T:
        return parse(flag, self.text(flag, default))

    def switch(self, flag: str) -> bool:
        dest = _BY_FLAG[flag].dest
        return bool(self._config.getoption(dest) or self._config.getini(dest))

    def path(self, flag: str) -> Path | None:
        text = self.text(flag)
        return Path(self._config.invocation_params.dir, text) if text else None

    def paths(self, flag: str) -> tuple[Path, ...]:
        dest = _BY_FLAG[flag].dest
        texts: list[str] = (
            self._config.getoption(dest) or self._config.getini(dest) or []
        )
        return tuple(
            Path(self._config.invocation_params.dir, text)
            for text in dict.fromkeys(texts)
        )


def parse_levels(flag: str, text: str) -> tuple[float, ...]:
    """Rising occlusion levels with 0 among them."""
    levels = {0.0, *(_level(flag, item) for item in split_list(flag, text))}
    return tuple(sorted(levels))


def _level(flag: str, item: str) -> float:
    try:
        level = float(item)
    except ValueError:
        level = float("nan")
    if not 0.0 <= level <= 1.0:
        hint = (
            f" Did you mean {level / 100:g}?"
            if 1.0 < level <= 100.0
            else " Give fractions such as 0,0.1,0.3."
        )
        raise ConfigError(
            "Expected fractions of the image area from 0 to 1, got"
            f" {flag}={item!r}.{hint}"
        )
    from ..core.cases import (
        canonical_level,  # late: this module loads in every pytest run, that one need not
    )

    return canonical_level(level)


def _integers(flag: str, text: str, low: int, high: int) -> tuple[int, ...]:
    return tuple(
        sorted({_integer(flag, item, low, high) for item in split_list(flag, text)})
    )


def _integer(flag: str, item: str, low: int, high: int) -> int:
    if not re.fullmatch(r"\d+", item) or not low <= int(item) <= high:
        raise ConfigError(
            f"Expected whole numbers from {low} to {high}, got {flag}={item!r}. Mend"
            " the value."
        )
    return int(item)


def _device(flag: str, text: str) -> str:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", text):
        raise ConfigError(
            f"Expected auto, cpu, cuda, cuda:N or mps, got {flag}={text!r}. Choose one"
            " of them."
        )
    return text


def _precision(flag: str, text: str) -> Literal["fp32", "bf16", "fp16"]:
    for precision in ("fp32", "bf16", "fp16"):
        if text == precision:
            return precision
    raise ConfigError(
        f"Expected fp32, bf16 or fp16, got {flag}={text!r}. Choose one of them."
    )


def _batch_size(flag: str, text: str) -> int | None:
    return None if text == "auto" else _integer(flag, text, 1, 65536)


def parse_size(flag: str, text: str) -> int:
    """Bytes.

    >>> parse_size("--robust-cache-limit", "1.5 GB")
    1500000000
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kMGT]?)B", text.strip())
    if found is None:
        raise ConfigError(
            f"Expected a size such as 500MB or 20GB, got {flag}={text!r}. Write a"
            " number and kB to TB."
        )
    return int(float(found[1]) * 1000 ** " kMGT".index(found[2] or " "))


def _limit(flag: str, text: str) -> int | None:
    return _integer(flag, text, 1, 2**31 - 1) if text else None


def _config_file(config: pytest.Config, values: _Values) -> ConfigFile | None:
    named = values.path("--robust-config")
    if named is not None and not named.is_file():
        raise ConfigError(
            f"Expected a readable TOML file, got --robust-config={str(named)!r}, which"
            " is not there. Mend the path."
        )
    path = named or beside_arguments(config)
    if path is None:
        return None
    from ..core.config_file import read_config_file

    return read_config_file(path)


def beside_arguments(config: pytest.Config) -> Path | None:
    """The `robust.toml` that the test arguments lie beside or below; None without one."""
    return find_upward(config.args, Path(config.invocation_params.dir), config.rootpath)


def beside_test(file: Path, config: pytest.Config) -> Path | None:
    """The `robust.toml` nearest to a test file, upward to the rootdir; None without one."""
    return _nearest(file.parent.resolve(), config.rootpath.resolve())


def has_gates_beside(
    config: pytest.Config, items: Sequence[pytest.Item], *, left_out: bool
) -> bool:
    """Whether a `robust.toml` with gates asks for a verdict, although no test of ours
    is left to run.

    Where tests of ours were collected and all `left_out`, it is the one that the
    arguments lie below. Where there were none, it is one in a folder that was asked
    for: it may be another tool's, and the tests of a project that happens to have a
    gate elsewhere must not fail by it.
    """
    if left_out:
        found = beside_arguments(config)
        return names_config(config) or (found is not None and _holds_gates(found))
    here = Path(config.invocation_params.dir)
    arguments = [here / argument.split("::")[0] for argument in config.args]
    folders = {argument for argument in arguments if argument.is_dir()}
    if len(folders) == len(arguments):
        folders.update(item.path.parent for item in items)
    return any(_holds_gates(folder / _FILE) for folder in folders)


def _holds_gates(path: Path) -> bool:
    import tomllib

    from ..core.files import is_regular

    try:
        gates = (
            tomllib.loads(path.read_text(encoding="utf-8")).get("gate")
            if is_regular(path)
            else None
        )
    except (OSError, ValueError):
        return False
    return isinstance(gates, list) and bool(gates)


def find_upward(arguments: Sequence[str], folder: Path, root: Path) -> Path | None:
    """The nearest `robust.toml` of any test argument, in its folder or above it, up to the rootdir.

    Raises `ConfigError` where two arguments have two different ones: gates of neither may be lost.
    """
    starts = [folder / argument.split("::")[0] for argument in arguments] or [folder]
    found = dict.fromkeys(
        file
        for start in starts
        if (file := _nearest(start.resolve(), root.resolve())) is not None
    )
    if len(found) > 1:
        shown = " and ".join(str(file) for file in list(found)[:2])
        raise ConfigError(
            f"Expected one robust.toml for all test arguments, got {shown}. Run them"
            " apart, or name one with --robust-config."
        )
    return next(iter(found), None)


def _nearest(start: Path, root: Path) -> Path | None:
    for candidate in [start, *start.parents]:
        if (candidate / _FILE).is_file():
            return candidate / _FILE
        if candidate == root:
            break
    return None
