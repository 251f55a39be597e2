"""docs/troubleshooting.md quotes messages that the package still prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import pytest_retrieval_robust

from .pages import read

PACKAGE = Path(pytest_retrieval_robust.__file__).parent
MESSAGES = re.findall(r"^### `(.+)`$", read("docs/troubleshooting.md"), re.MULTILINE)
DOCSTRING = re.compile(r'""".*?"""', re.DOTALL)
SEAM = re.compile(r"""["']\s*\n\s*f?["']""")
"""Between two texts that stand side by side, which Python makes one."""


@pytest.fixture(scope="module")
def source() -> str:
    """The package without docstrings; a text that goes over several lines is on one."""
    files = sorted(PACKAGE.rglob("*.py"))
    code = "\n".join(file.read_text(encoding="utf-8") for file in files)
    return SEAM.sub("", DOCSTRING.sub("", code))


def is_printed(message: str, source: str) -> bool:
    """Whether one line of the source has the pieces of a message, in their order."""
    pieces = [re.escape(part.strip()) for part in message.split("...")]
    return re.search(".*".join(pieces), source) is not None


def test_the_page_explains_the_likely_messages() -> None:
    assert len(MESSAGES) >= 40
    assert len(set(MESSAGES)) == len(MESSAGES)


@pytest.mark.parametrize("message", MESSAGES)
def test_a_quoted_message_is_still_printed(message: str, source: str) -> None:
    assert is_printed(message, source)


@pytest.mark.parametrize(
    "message",
    ["Expected a colour, got ...", "... cannot fail: a random horse meets it"],
)
def test_a_message_that_nothing_prints_is_found(message: str, source: str) -> None:
    assert not is_printed(message, source)
