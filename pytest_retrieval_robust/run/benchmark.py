"""What this plugin does with pytest-benchmark, where that is installed and active."""

from __future__ import annotations

import os
import shlex
from collections.abc import Generator, Sequence
from typing import Any

import pytest

from .our_tests import our_fixtures


class BenchmarkHooks:
    """The hooks that make timers known to pytest-benchmark, in the process that prints."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """`--benchmark-only` and `--benchmark-skip` know a benchmark by its fixture's name."""
        if not has_active_benchmark(config):
            return
        for item in items:
            names: list[str] = getattr(item, "fixturenames", [])
            if "occlusion_timer" in our_fixtures(item) and "benchmark" not in names:
                names.append("benchmark")

    @pytest.hookimpl(optionalhook=True, wrapper=True)
    def pytest_benchmark_group_stats(
        self, config: pytest.Config
    ) -> Generator[None, Any, Any]:
        """Print a table of each model only if an option of pytest-benchmark was given."""
        groups = yield
        return groups if _asks_for_benchmarks(config) else _without_our_cells(groups)


def has_active_benchmark(config: pytest.Config) -> bool:
    """Whether pytest-benchmark is there and not switched off, as it is under xdist."""
    session = getattr(config, "_benchmarksession", None)
    if session is None or session.disabled:
        return False
    return config.pluginmanager.hasplugin("benchmark")


def active_benchmark(request: pytest.FixtureRequest) -> Any:
    """pytest-benchmark's fixture; None where it is missing or switched off."""
    if not has_active_benchmark(request.config):
        return None
    return request.getfixturevalue("benchmark")


def _asks_for_benchmarks(config: pytest.Config) -> bool:
    """Whether an option of pytest-benchmark was typed, or is in `addopts` or PYTEST_ADDOPTS."""
    in_environment = shlex.split(os.environ.get("PYTEST_ADDOPTS", ""))
    arguments = [
        *config.invocation_params.args,
        *config.getini("addopts"),
        *in_environment,
    ]
    return any(str(argument).startswith("--benchmark-") for argument in arguments)


def _without_our_cells(
    groups: Sequence[tuple[Any, list[Any]]],
) -> list[tuple[Any, list[Any]]]:
    """The groups without the cells of this plugin, and without those that held nothing else."""
    from ..measure.timing.occlusion_timer import RELATIVE_COST

    remaining = []
    for name, benchmarks in groups:
        foreign = [
            benchmark
            for benchmark in benchmarks
            if RELATIVE_COST not in benchmark.get("extra_info", {})
        ]
        if foreign:
            remaining.append((name, foreign))
    return remaining
