"""The arguments of the Python interface, checked before anything is loaded or measured."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Collection, Iterable, Sequence
from numbers import Real
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ..core.cases import canonical_level
from ..core.errors import ArgumentError, CorruptionError, OcclusionError
from ..core.foreign import attempted, described, traced
from ..core.words import hint_at_share
from ..models.contract import broken_member
from .sweep.changes import word_for

if TYPE_CHECKING:
    from ..models import DualEncoder
    from .sweep.changes import Perturbation

T = TypeVar("T")

_LARGEST_SEED = 2**31 - 1
_MODEL_MEMBERS = (
    "name",
    "card",
    "device",
    "prepare",
    "encode_images",
    "encode_reports",
)
_DATASET_MEMBERS = (
    "name",
    "fingerprint",
    "split",
    "text",
    "relevance",
    "image_ids",
    "reports",
    "image_groups",
    "report_groups",
    "patients",
    "image",
)
_OCCLUDER_MEMBERS = ("name", "bind", "shares", "mask", "occlude")
_CORRUPTION_MEMBERS = ("name", "bind", "corrupt")
_NOISE_MEMBERS = ("name", "apply")


def check_model(model: object) -> None:
    """Raise `ArgumentError` if `model` is none, naming what it lacks."""
    _check_members(
        "model",
        model,
        _MODEL_MEMBERS,
        "Load one with load_model, or make one with encoder_from_callables.",
    )
    encoder = cast("DualEncoder", model)
    broken = _asked(
        "model", model, lambda: broken_member(encoder, f"a {type(model).__name__}")
    )
    if broken is not None:
        raise ArgumentError(broken)


def check_dataset(dataset: object) -> None:
    """Raise `ArgumentError` if `dataset` is none, naming what it lacks."""
    _check_members(
        "data set",
        dataset,
        _DATASET_MEMBERS,
        "Load one with load_dataset, or make one with dataset_from_lists.",
    )


def check_perturbation(change: object) -> None:
    """Raise `ArgumentError` if `change` is no occluder, corruption or text noise, naming
    what it lacks.
    """
    # What has neither of the two methods is taken for an occluder. A user's class may raise
    # while it is asked for them.
    kind = _asked("occluder", change, lambda: word_for(change))
    if kind == "corruption":
        _check_members(kind, change, _CORRUPTION_MEMBERS, "")
    elif kind == "text noise":
        _check_members(kind, change, _NOISE_MEMBERS, "")
    else:
        advice = "Build one with load_occluder, load_corruption or load_text_noise."
        _check_members(kind, change, _OCCLUDER_MEMBERS, advice)
    name = _asked(kind, change, lambda: cast("Perturbation", change).name)
    if not isinstance(name, str) or not name:
        raise ArgumentError(
            f"Expected name of {_with_article(kind)} as a text, got a"
            f" {type(name).__name__} from a {type(change).__name__}. Results are saved"
            " under it."
        )


def _asked(kind: str, value: object, ask: Callable[[], T]) -> T:
    """What members of a user's object say; they may be properties that raise."""

    def failed(error: BaseException) -> ArgumentError:
        ours = ArgumentError(
            f"Expected {_with_article(kind)} with members that can be read, got"
            f" {described(error)} from a {type(value).__name__}. Fix that class."
        )
        return traced(ours, error)

    return attempted(ask, failed)


def _check_members(
    kind: str, value: object, members: Iterable[str], advice: str
) -> None:
    expected = _with_article(kind)
    if isinstance(value, type):
        raise ArgumentError(
            f"Expected {expected}, got the class {value.__name__}. Make an object of it"
            " first."
        )
    missing = _asked(
        kind,
        value,
        lambda: [name for name in members if not _has_member(value, name)],
    )
    if missing:
        raise ArgumentError(
            f"Expected {expected}, got an object of type {type(value).__name__} without"
            f" {', '.join(missing)}. {advice}"
        )


def _with_article(kind: str) -> str:
    article = "an" if kind.startswith("o") else "a"
    return f"{article} {kind}"


def _has_member(value: object, name: str) -> bool:
    # The type is asked before the object, because a property may do work or raise an
    # error of its own.
    if hasattr(type(value), name) or name in getattr(value, "__dict__", ()):
        return True
    # A wrapper may pass on what it does not have itself.
    return hasattr(type(value), "__getattr__") and hasattr(value, name)


def checked_levels(levels: object, name: str = "levels") -> list[float]:
    """The levels to hide, or severities, rising, each once and without 0."""
    advice = "Give fractions of the image area: levels=(0.1, 0.3)."
    if name == "severities":
        advice = "Give numbers such as severities=(0.2, 0.4, 0.6, 0.8, 1)."
    checked = {_level(level, name, advice) for level in _items(name, levels, advice)}
    return sorted(checked - {0.0})


def _items(name: str, values: object, advice: str) -> list[object]:
    if isinstance(values, Iterable) and not isinstance(values, str | bytes):
        try:
            return list(values)
        except TypeError:
            # An array without an axis has the method, and cannot be iterated.
            pass
    raise ArgumentError(
        f"Expected {name} as a sequence of numbers, got {name}={values!r}. {advice}"
    )


def _level(level: object, name: str, advice: str) -> float:
    one = "severity" if name == "severities" else "level"
    if isinstance(level, bool) or not isinstance(level, Real):
        raise ArgumentError(
            f"Expected {name} that are numbers from 0 to 1, got {one}={level!r}."
            f" {advice}"
        )
    number = float(level)
    if math.isnan(number) or not 0 <= number <= 1:
        is_severity = name == "severities"
        kind = CorruptionError if is_severity else OcclusionError
        hint = hint_at_share(number, is_severity=is_severity)
        message = f"Expected {name} from 0 to 1, got {one}={level!r}. {advice} {hint}"
        raise kind(message.rstrip())
    return canonical_level(number)


def checked_ks(ks: object) -> tuple[int, ...]:
    """The k of Recall@k, rising and each once."""
    advice = "Give whole numbers of 1 or more: ks=(1, 5, 10)."
    checked = {
        checked_whole("k", k, 1, advice=advice) for k in _items("ks", ks, advice)
    }
    if not checked:
        raise ArgumentError(f"Expected at least one k, got ks={ks!r}. {advice}")
    return tuple(sorted(checked))


def checked_command(command: object) -> tuple[str, ...]:
    """A program and its arguments."""
    words: list[object] = []
    if isinstance(command, Sequence) and not isinstance(command, str | bytes):
        words = list(command)
    arguments = [str(word) for word in words if isinstance(word, str | PathLike)]
    if len(arguments) == len(words) and arguments and _are_arguments(arguments):
        return tuple(arguments)
    raise ArgumentError(
        "Expected a program and its arguments, got"
        f" command={command!r}. Give a list of texts or paths:"
        ' ["/envs/ours/bin/python", "serve.py"].'
    )


def _are_arguments(words: Sequence[str]) -> bool:
    return all(word != "" and "\0" not in word for word in words)


def checked_seconds(name: str, seconds: object) -> float:
    """A time of more than nothing."""
    # To Python true is a number.
    is_flag = isinstance(seconds, bool)
    if isinstance(seconds, Real) and not is_flag and 0 < float(seconds) < math.inf:
        return float(seconds)
    raise ArgumentError(f"Expected {name} in seconds above 0, got {name}={seconds!r}.")


def checked_seed(seed: object) -> int:
    """The seed of a mask layout."""
    return checked_whole(
        "seed",
        seed,
        0,
        _LARGEST_SEED,
        advice="Each whole number gives one mask layout: give one, or a list of these.",
    )


def checked_whole(
    name: str, value: Any, least: int, most: int | None = None, *, advice: str
) -> int:
    """`value` as an int, NumPy's whole numbers included."""
    number = _whole(value)
    if number is not None and number >= least and (most is None or number <= most):
        return number
    bounds = f"of {least} or more" if most is None else f"from {least} to {most}"
    raise ArgumentError(
        f"Expected {name} as a whole number {bounds}, got {name}={value!r}. {advice}"
    )


def _whole(value: Any) -> int | None:
    """`value` as an int; None if it is no whole number."""
    # True and False are of type int.
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def check_optional_whole(name: str, value: object) -> None:
    """None, or a whole number of 1 or more."""
    if value is not None:
        checked_whole(name, value, 1, advice=f"Leave {name} out for the default.")


def check_text(name: str, value: object, example: str) -> None:
    """A text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise ArgumentError(
            f"Expected {name} as a text such as {example!r}, got {name}={value!r}."
        )


def check_texts(name: str, values: object, example: tuple[str, ...]) -> None:
    """A sequence of texts that are not empty."""
    # A text is a sequence of texts to Python.
    if isinstance(values, str) or not isinstance(values, Collection):
        raise ArgumentError(
            f"Expected {name} as a sequence of texts, got {name}={values!r}. Give"
            f" {name}={example!r}."
        )
    for value in values:
        check_text(name, value, example[0])


def check_function(name: str, value: object, *, optional: bool = False) -> None:
    """Something that can be called; None too if it is `optional`."""
    if optional and value is None:
        return
    if not callable(value):
        raise ArgumentError(
            f"Expected {name} as a function, got {name} of type {type(value).__name__}."
        )


def check_flag(name: str, value: object) -> None:
    """None, true or false."""
    if value is not None and not isinstance(value, bool):
        raise ArgumentError(
            f"Expected {name} as True or False, got {name}={value!r}. Leave {name} out"
            " for the default."
        )


def check_path(name: str, value: object) -> None:
    """None, a path, or a text that is not empty, which would be the current folder."""
    if value == "":
        raise ArgumentError(
            f"Expected {name} as a path, got an empty text. Leave {name} out for the"
            " default."
        )
    if value is not None and not isinstance(value, str | PathLike):
        raise ArgumentError(
            f"Expected {name} as a path, got {name} of type {type(value).__name__}."
        )


def device_name(device: object) -> str:
    """`cpu`, `cuda:1`, `mps` or `auto`, also from a torch.device."""
    if isinstance(device, str) or type(device).__name__ == "device":
        return str(device)
    raise ArgumentError(
        f"Expected device as a text such as 'cpu' or 'cuda:0', got device={device!r}."
    )
