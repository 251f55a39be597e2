"""Commands that a page shows: their words, and the options that do not exist."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from collections.abc import Iterator
from functools import cache

import pytest

from pytest_retrieval_robust.__main__ import main
from pytest_retrieval_robust.run.options import OPTIONS

from .. import forked_commands
from .pages import ROOT

OURS = ("python", "-m", "pytest_retrieval_robust")
SCRIPT = "retrieval-robust"


def typed(console: str) -> Iterator[list[str]]:
    """The words of each command after a prompt of a console block."""
    for line in console.splitlines():
        if line.startswith("$ "):
            words = shlex.split(line.removeprefix("$ "), comments=True)
            yield from _chained(words)


def _chained(words: list[str]) -> Iterator[list[str]]:
    """Commands that `&&` joins."""
    command: list[str] = []
    for word in [*words, "&&"]:
        if word != "&&":
            command.append(word)
        elif command:
            yield command
            command = []


def commands(script: str) -> Iterator[list[str]]:
    """The words of every call of pytest or of this package in a script."""
    for line in script.replace("\\\n", " ").splitlines():
        if not re.search(rf"\bpytest\b|pytest_retrieval_robust|{SCRIPT}", line):
            continue
        words = shlex.split(line, comments=True)
        if words and (words[0] == "pytest" or of_this_package(words) is not None):
            yield words


def of_this_package(words: list[str]) -> list[str] | None:
    """What follows `python -m pytest_retrieval_robust`, or its shorter name."""
    if tuple(words[:3]) == OURS:
        return words[3:]
    if words[0] == SCRIPT:
        return words[1:]
    return None


def unknown_options(script: str) -> list[str]:
    """Options, and commands of this package, that do not exist."""
    return [word for words in commands(script) for word in unknown(words)]


def unknown(words: list[str]) -> list[str]:
    arguments = of_this_package(words)
    if arguments is None:
        return sorted(flags(words) - flags_of_pytest())
    if arguments[0].startswith("-") or arguments[0].isupper():
        return []  # an option of the whole, or a placeholder
    shown = help_of_command(arguments[0])
    if f" {arguments[0]} [-h]" not in shown:
        return [arguments[0]]
    known = flags_of(shown)
    if arguments[0] == "encode":
        # The suite's own arguments, as for pytest.
        known |= flags_of_pytest()
    return sorted(flags(arguments) - known)


def flags(words: list[str]) -> set[str]:
    return {word.partition("=")[0] for word in words if re.match(r"--?[A-Za-z]", word)}


def flags_of(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--?[A-Za-z][\w-]*", text))


@cache
def flags_of_pytest() -> set[str]:
    """Those of pytest, its plugins and this one, whose own are not only described."""
    asked = forked_commands.run(["pytest", "--help", "-p", "no:cacheprovider"], ROOT)
    assert asked.status == 0
    shown = asked.printed
    others = {flag for flag in flags_of(shown) if not flag.startswith("--robust-")}
    return others | {option.flag for option in OPTIONS}


@cache
def help_of_command(name: str) -> str:
    """What `--help` of a command prints, or the error of an unknown one."""
    printed = io.StringIO()
    with (
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
        pytest.raises(SystemExit),
    ):
        main([name, "--help"])
    return printed.getvalue()
