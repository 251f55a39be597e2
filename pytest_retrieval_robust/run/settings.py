"""Command line, ini values and `robust.toml` become one frozen `Settings`.

Strings are parsed here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from ..core.errors import ConfigError
from ..core.names import split_list
from ..core.roles import Role
from ..core.shown_values import shown_place
from .options import BY_FLAG, CACHE_LIMIT, is_measure_only, is_replay, names_config
from .robust_toml import beside_arguments
from .typed_checks import check_no_value_is_lost, check_typed_alone
from .typed_values import (
    Engine,
    parse_address,
    parse_batch_size,
    parse_count,
    parse_decoding,
    parse_device,
    parse_device_kinds,
    parse_engine,
    parse_grid,
    parse_ks,
    parse_levels,
    parse_precision,
    parse_seconds,
    parse_seeds,
    parse_severities,
    parse_size,
)
from .xdist.processes import has_workers, is_worker

if TYPE_CHECKING:
    import pytest

    from ..core.cases import Family
    from ..core.config_file import ConfigFile

T = TypeVar("T")


NONE = "none"
"""In place of a list of occluders: no occlusion is measured."""
SEVERITIES = "0,0.2,0.4,0.6,0.8,1"
_DEVICES_OF_ACTORS = ("auto", "cpu", "cuda")


@dataclass(frozen=True, repr=False)
class Settings:
    """What the options ask for, checked and typed.

    Names are not resolved yet: that needs the catalogues.
    """

    models: tuple[str, ...] | None
    """None: the models of `robust.toml`, else the embedded ones."""
    datasets: tuple[str, ...]
    """As chosen, else the default."""
    occluders: tuple[str, ...]
    """Empty where `none` leaves occlusions out."""
    levels: tuple[float, ...]
    seeds: tuple[int, ...]
    ks: tuple[int, ...]
    metrics: tuple[str, ...]
    """Those that gates name are computed too."""
    device: str
    precision: Literal["fp32", "bf16", "fp16"]
    batch_size: int | None
    limit: int | None
    download: bool
    results: Path | None
    config_file: ConfigFile | None
    corruptions: tuple[str, ...] = ()
    text_noise: tuple[str, ...] = ()
    severities: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    """Of corruptions and text noise."""
    decoding: Literal["host", "device"] = "host"
    """Where JPEGs are decoded."""
    engine: Engine = "local"
    """What encodes: this process, nothing (all comes from the store), or actors of Ray."""
    device_kinds: tuple[str, ...] = ()
    """The kinds of device that embeddings may come from; empty for the one that is there."""
    ray_address: str | None = None
    """Of a cluster that runs already; None to start one on this machine."""
    ray_actors: int | None = None
    """None: as many as the cluster has room for."""
    cache_dir: Path | None = None
    keeps_embeddings: bool = True
    cache_limit: int = 0
    """Bytes of embeddings."""
    search_images: int | None = None
    """None: 100, and only where a gate asks for the search."""
    search_grid: int = 16
    counterfactuals: bool = False
    """Whether images are compared with edited reports even where no gate asks."""
    timeout: float | None = None
    """Seconds, as typed; None for those of `robust.toml`."""
    overwrite: bool = False
    """Whether results may replace those of a run that measured more."""
    baseline: Path | None = None
    reference: Path | None = None
    attempts: Path | None = None
    """The ledger, where one is named."""
    replay: Path | None = None
    reports: tuple[Path, ...] = ()
    show_samples: bool = False
    measure_only: bool = False
    """No gate is judged."""
    config_named: bool = False
    """Whether `robust_config` or `--robust-config` names the `robust.toml`.

    If it does, none is looked for beside the tests.
    """
    levels_typed: bool = False
    """Whether `--robust-levels` was typed.

    If it was, a gate at another level is left out rather than wrong.
    """
    severities_typed: bool = False
    """The same of `--robust-severities`."""
    datasets_chosen: bool = False
    """Whether an option, or its twin in the ini file, names data sets."""

    def saved_run(self, role: Role) -> Path | None:
        """The folder of the saved run in a role."""
        return self.reference if role is Role.REFERENCE else self.baseline

    @property
    def kept_runs(self) -> tuple[Path | None, ...]:
        """The folders of saved runs, into which nothing is written."""
        return (self.replay, self.baseline, self.reference)

    def levels_of(self, family: Family) -> tuple[float, ...]:
        """The levels at which a family is measured, rising, from 0."""
        return self.levels if family == "occlusion" else self.severities


def read_settings(config: pytest.Config) -> Settings:
    """The settings of this run; `ConfigError` for any value that is wrong."""
    check_typed_alone(config)
    check_no_value_is_lost(config)
    values = _OptionValues(config)
    # The one asks for no verdict, the other for nothing else.
    if is_measure_only(config) and is_replay(config):
        raise ConfigError(
            "Expected --robust-measure-only or --robust-replay, got both. A saved run"
            " is replayed to be judged: leave one of them out."
        )
    return Settings(
        models=values.list_of("--robust-models") or None,
        datasets=values.list_of("--robust-datasets", "synthetic-cxr"),
        occluders=_without_none(values),
        levels=values.parsed("--robust-levels", "0,0.1,0.2,0.3,0.4,0.5", parse_levels),
        corruptions=values.list_of("--robust-corruptions"),
        text_noise=values.list_of("--robust-text-noise"),
        severities=values.parsed("--robust-severities", SEVERITIES, parse_severities),
        seeds=values.parsed("--robust-seeds", "0", parse_seeds),
        ks=values.parsed("--robust-k", "1,5,10", parse_ks),
        metrics=values.list_of("--robust-metrics"),
        device=values.parsed("--robust-device", "auto", parse_device),
        precision=values.parsed("--robust-precision", "fp32", parse_precision),
        decoding=values.parsed("--robust-decode", "host", parse_decoding),
        engine=_engine(config, values),
        device_kinds=values.parsed("--robust-device-kinds", "", parse_device_kinds),
        ray_address=values.parsed("--robust-ray-address", "", parse_address),
        ray_actors=values.parsed("--robust-ray-actors", "", parse_count),
        batch_size=values.parsed("--robust-batch-size", "auto", parse_batch_size),
        limit=values.parsed("--robust-limit", "", parse_count),
        download=values.switch("--robust-download"),
        results=values.path("--robust-results"),
        config_file=_config_file(config, values),
        cache_dir=values.path("--robust-cache-dir"),
        keeps_embeddings=not values.switch("--robust-no-cache"),
        cache_limit=values.parsed("--robust-cache-limit", CACHE_LIMIT, parse_size),
        search_images=values.parsed("--robust-search-images", "", parse_count),
        search_grid=values.parsed("--robust-search-grid", "16", parse_grid),
        counterfactuals=values.switch("--robust-counterfactuals"),
        timeout=values.typed("--robust-timeout", parse_seconds),
        overwrite=values.switch("--robust-overwrite"),
        baseline=values.path("--robust-baseline"),
        reference=values.path("--robust-reference"),
        attempts=values.path("--robust-attempts"),
        replay=values.path("--robust-replay") if is_replay(config) else None,
        reports=values.paths("--robust-report"),
        show_samples=values.switch("--robust-show-samples"),
        measure_only=is_measure_only(config),
        config_named=names_config(config),
        levels_typed=values.is_typed("--robust-levels"),
        severities_typed=values.is_typed("--robust-severities"),
        datasets_chosen=bool(values.text("--robust-datasets")),
    )


class _OptionValues:
    """Raw strings: the command line wins over the ini file, and that over the default."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._folder = config.invocation_params.dir

    def is_typed(self, flag: str) -> bool:
        return self._config.getoption(BY_FLAG[flag].dest) is not None

    def text(self, flag: str, default: str = "") -> str:
        dest = BY_FLAG[flag].dest
        chosen = self._config.getoption(dest)
        if chosen is None:
            chosen = self._config.getini(dest)
        return default if chosen in (None, "") else str(chosen)

    def list_of(self, flag: str, default: str = "") -> tuple[str, ...]:
        """The items of a LIST, each once."""
        text = self.text(flag, default)
        if not text:
            return ()
        return tuple(dict.fromkeys(split_list(flag, text)))

    def parsed(self, flag: str, default: str, parse: Callable[[str, str], T]) -> T:
        return parse(flag, self.text(flag, default))

    def typed(self, flag: str, parse: Callable[[str, str], T]) -> T | None:
        """What was typed for an option without an ini twin; None where nothing was."""
        text = self._config.getoption(BY_FLAG[flag].dest)
        return None if text is None else parse(flag, text)

    def switch(self, flag: str) -> bool:
        dest = BY_FLAG[flag].dest
        return bool(self._config.getoption(dest) or self._config.getini(dest))

    def path(self, flag: str) -> Path | None:
        """Relative to the folder that pytest was started in."""
        text = self.text(flag)
        return Path(self._folder, text) if text else None

    def paths(self, flag: str) -> tuple[Path, ...]:
        """Those of a repeatable option, each once."""
        dest = BY_FLAG[flag].dest
        texts: list[str] = self._config.getoption(dest) or self._config.getini(dest)
        return tuple(Path(self._folder, text) for text in dict.fromkeys(texts or ()))


def _without_none(values: _OptionValues) -> tuple[str, ...]:
    """The occluders; none of them where `none` stands alone."""
    items = values.list_of("--robust-occluders", "patches")
    if NONE not in items:
        return items
    if items != (NONE,):
        raise ConfigError(
            f"Expected {NONE} alone, got --robust-occluders={','.join(items)!r}. Leave"
            f" {NONE} out to measure the others."
        )
    return ()


def _engine(config: pytest.Config, values: _OptionValues) -> Engine:
    engine = values.parsed("--robust-engine", "local", parse_engine)
    if engine == "ray" and (is_worker(config) or has_workers(config)):
        raise ConfigError(
            "Expected one process of pytest with --robust-engine=ray, got workers of"
            " pytest-xdist. Actors of Ray share the work out already: leave out -n."
        )
    device = values.text("--robust-device", "auto")
    if engine == "ray" and device not in _DEVICES_OF_ACTORS:
        raise ConfigError(
            "Expected --robust-device auto, cpu or cuda with --robust-engine=ray, got"
            f" {device!r}. Ray gives each actor a GPU of its own: leave the number out."
        )
    return engine


def _config_file(config: pytest.Config, values: _OptionValues) -> ConfigFile | None:
    named = values.path("--robust-config")
    if named is not None and not named.is_file():
        reason = "is a folder" if named.is_dir() else "does not exist"
        raise ConfigError(
            f"Expected a readable TOML file, got --robust-config={shown_place(named)!r},"
            f" which {reason}. Fix the path."
        )
    path = named or beside_arguments(config)
    if path is None:
        return None
    from ..core.config_file import read_config_file

    return read_config_file(path)
