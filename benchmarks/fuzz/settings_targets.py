"""What a user writes or types: `robust.toml`, options, submissions to a leaderboard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.hostile.image_files import CANARY
from pytest_retrieval_robust.core.catalogue import Catalogues
from pytest_retrieval_robust.core.config_file import read_config_file
from pytest_retrieval_robust.core.names import parse_call, split_list
from pytest_retrieval_robust.core.toml_text import TomlError, parsed_toml
from pytest_retrieval_robust.gate.toml import read_policy
from pytest_retrieval_robust.measure.from_text import (
    dataset_from_text,
    metric_from_text,
    occluder_from_text,
)
from pytest_retrieval_robust.measure.perturbation_text import (
    corruption_from_text,
    text_noise_from_text,
)
from pytest_retrieval_robust.models.locators import entry_for, is_locator
from pytest_retrieval_robust.reports.saved.submission import read_submission
from pytest_retrieval_robust.run import typed_values

from .mutators import json_of
from .saved_run import honest_run
from .target import Read, Target

_FLAG = "--robust-option"


def _robust_toml(folder: Path) -> Read:
    file = folder / "robust.toml"

    def read(content: bytes) -> object:
        file.write_bytes(content)
        return read_policy(read_config_file(file))

    return read


def _is_in_a_comment(content: bytes) -> bool:
    """Whether no value and no key has the canary: these are quoted in messages."""
    try:
        return CANARY not in repr(parsed_toml(content.decode()))
    except (TomlError, UnicodeDecodeError, ValueError, RecursionError):
        return True


def _options(_: Path) -> Read:
    catalogues = Catalogues()

    def model(text: str) -> object:
        if is_locator(text):
            return entry_for(text)
        return catalogues.models.select(text)

    parsers: list[Callable[[str], object]] = [
        lambda text: split_list(_FLAG, text),
        parse_call,
        model,
        lambda text: dataset_from_text(text, {}, catalogues.datasets),
        lambda text: occluder_from_text(text, catalogues.occluders),
        lambda text: corruption_from_text(text, catalogues.corruptions),
        lambda text: text_noise_from_text(text, catalogues.text_noise),
        lambda text: metric_from_text(text, catalogues.metrics),
    ]
    for name in (
        *("levels", "severities", "seeds", "ks", "device", "precision", "decoding"),
        *("engine", "device_kinds", "address", "batch_size", "count", "grid"),
        *("size", "seconds"),
    ):
        parse: Callable[[str, str], Any] = getattr(typed_values, f"parse_{name}")
        parsers.append(lambda text, parse=parse: parse(_FLAG, text))  # type: ignore[misc]

    def read(content: bytes) -> None:
        # The first byte chooses the option; what follows is typed.
        parse = parsers[content[0] % len(parsers)] if content else parsers[0]
        parse(content[1:].decode("utf-8", "surrogateescape"))

    return read


def _submissions(folder: Path) -> Read:
    honest_run(folder / "run")
    file = folder / "ours.json"

    def read(content: bytes) -> object:
        file.write_bytes(content)
        return read_submission(file)

    return read


TARGETS = (
    Target(
        "robust-toml",
        "`robust.toml`: tables of models and data sets, gates",
        _robust_toml,
        hides_canary=_is_in_a_comment,
    ),
    Target(
        "options",
        "what is typed for an option: lists, calls, numbers, locators",
        _options,
        # What was typed is quoted.
        hides_canary=lambda _: False,
        most_bytes=256,
    ),
    Target(
        "submissions",
        "submissions to a leaderboard",
        _submissions,
        mutate=json_of,
        hides_canary=lambda _: False,
    ),
)
