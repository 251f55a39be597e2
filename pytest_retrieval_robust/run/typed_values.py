"""Parsers of what is typed for an option: each takes the flag, for its message, and the text."""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import Literal, TypeAlias

from ..core.errors import ConfigError
from ..core.names import split_list

LARGEST = 2**31 - 1
"""The largest seed, k or number of pairs."""


Engine: TypeAlias = Literal["local", "stored", "ray"]
ENGINES: tuple[Engine, ...] = ("local", "stored", "ray")


def parse_levels(flag: str, text: str) -> tuple[float, ...]:
    """Rising occlusion levels with 0 among them."""
    levels = {0.0}
    levels.update(_parse_level(flag, item) for item in split_list(flag, text))
    return tuple(sorted(levels))


def parse_severities(flag: str, text: str) -> tuple[float, ...]:
    """Rising severities with 0 among them."""
    severities = {0.0}
    for item in split_list(flag, text):
        severities.add(_parse_level(flag, item, is_severity=True))
    return tuple(sorted(severities))


def _parse_level(flag: str, item: str, *, is_severity: bool = False) -> float:
    # Not a number fails the comparison below, as "nan" does.
    try:
        level = float(item)
    except ValueError:
        level = float("nan")
    if not 0.0 <= level <= 1.0:
        from ..core.words import hint_at_share

        expected, example = "fractions of the image area", "0,0.1,0.3"
        if is_severity:
            expected, example = "severities", "0,0.2,0.6,1"
        hint = hint_at_share(level, is_severity=is_severity)
        advice = hint or f"Give fractions such as {example}."
        raise ConfigError(
            f"Expected {expected} from 0 to 1, got {flag}={item!r}. {advice}"
        )
    # Imported late: this module loads in every pytest run, that one need not.
    from ..core.cases import canonical_level

    return canonical_level(level)


def parse_seeds(flag: str, text: str) -> tuple[int, ...]:
    """Rising seeds, each once."""
    return _parse_integers(flag, text, 0, LARGEST)


def parse_ks(flag: str, text: str) -> tuple[int, ...]:
    """Rising values of k, each once."""
    return _parse_integers(flag, text, 1, LARGEST)


def _parse_integers(flag: str, text: str, low: int, high: int) -> tuple[int, ...]:
    items = split_list(flag, text)
    numbers = {_parse_integer(flag, item, low, high) for item in items}
    return tuple(sorted(numbers))


def _parse_integer(flag: str, item: str, low: int, high: int) -> int:
    if not re.fullmatch(r"\d+", item) or not low <= int(item) <= high:
        raise ConfigError(
            f"Expected whole numbers from {low} to {high}, got {flag}={item!r}. Fix"
            " the value."
        )
    return int(item)


def parse_device(flag: str, text: str) -> str:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", text):
        raise ConfigError(
            f"Expected auto, cpu, cuda, cuda:N or mps, got {flag}={text!r}. Choose one"
            " of them."
        )
    return text


def parse_precision(flag: str, text: str) -> Literal["fp32", "bf16", "fp16"]:
    for precision in ("fp32", "bf16", "fp16"):
        if text == precision:
            return precision
    raise ConfigError(
        f"Expected fp32, bf16 or fp16, got {flag}={text!r}. Choose one of them."
    )


def parse_decoding(flag: str, text: str) -> Literal["host", "device"]:
    for place in ("host", "device"):
        if text == place:
            return place
    raise ConfigError(
        f"Expected host or device, got {flag}={text!r}. Choose one of them."
    )


def parse_engine(flag: str, text: str) -> Engine:
    """Raises `ConfigError` too where Ray is asked for and not installed."""
    for engine in ENGINES:
        if text == engine:
            _check_installed(flag, engine)
            return engine
    raise ConfigError(
        f"Expected local, stored or ray, got {flag}={text!r}. Choose one of them."
    )


def _check_installed(flag: str, engine: Engine) -> None:
    if engine == "ray" and find_spec("ray") is None:
        raise ConfigError(
            f"Expected Ray to be installed for {flag}=ray, got none. Install it: pip"
            " install pytest-retrieval-robust[ray]."
        )


def parse_device_kinds(flag: str, text: str) -> tuple[str, ...]:
    """Names of hardware, such as `NVIDIA H100 80GB HBM3`, or `any`; none by default."""
    return tuple(dict.fromkeys(split_list(flag, text))) if text else ()


def parse_address(flag: str, text: str) -> str | None:
    """`auto` or HOST:PORT; None where nothing was typed."""
    if not text:
        return None
    if text != "auto" and not re.fullmatch(r"[^\s:/]+:\d{1,5}", text):
        raise ConfigError(
            f"Expected HOST:PORT of a Ray cluster, or auto, got {flag}={text!r}. `ray"
            " start --head` prints the address; ray:// is not taken: start the run on"
            " a node of the cluster."
        )
    return text


def parse_batch_size(flag: str, text: str) -> int | None:
    """None for `auto`."""
    if text == "auto":
        return None
    return _parse_integer(flag, text, 1, 65536)


def parse_count(flag: str, text: str) -> int | None:
    """A number from 1, or None where nothing was typed."""
    if not text:
        return None
    return _parse_integer(flag, text, 1, LARGEST)


def parse_grid(flag: str, text: str) -> int:
    """Cells along each side of an image."""
    return _parse_integer(flag, text, 2, 64)


def parse_size(flag: str, text: str) -> int:
    """Bytes.

    >>> parse_size("--robust-cache-limit", "1.5 GB")
    1500000000
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kMGT]?)B", text.strip())
    if match is None:
        raise ConfigError(
            f"Expected a size such as 500MB or 20GB, got {flag}={text!r}. Write a"
            " number and kB to TB."
        )
    # Powers of 1000, as disks are sold.
    number, prefix = match.groups()
    power = " kMGT".index(prefix or " ")
    return int(float(number) * 1000**power)


def parse_seconds(flag: str, text: str) -> float:
    """Seconds of a time-out."""
    from ..core.toml_table import LONGEST_SECONDS

    # Not a number fails the comparison below, as "nan" does.
    try:
        seconds = float(text)
    except ValueError:
        seconds = float("nan")
    if 0 < seconds < LONGEST_SECONDS:
        return seconds
    raise ConfigError(
        f"Expected seconds, a number above 0, got {flag}={text!r}. Leave it out for no"
        " limit."
    )
