"""Which part of a report is the text.

The choice has a name, because it alone moves the ceiling of strict Recall@k.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping

from ...core.catalogue import unknown_name
from ...core.errors import DatasetError
from .records import Sections

Policy = Callable[[Sections], str]


def _findings_and_impression(sections: Sections) -> str:
    parts = (sections.findings, sections.impression)
    return " ".join(part for part in parts if part.strip())


def _longest(sections: Sections) -> str:
    return max(sections.findings, sections.impression, key=len)


POLICIES: Mapping[str, Policy] = {
    "findings": lambda sections: sections.findings,
    "impression": lambda sections: sections.impression,
    "findings+impression": _findings_and_impression,
    "longest": _longest,
    "full": lambda sections: sections.full,
}
"""`findings+impression` and `longest` (by characters, findings first) take the section
that is there, if only one is; `full` is the whole report.
"""


def policy(name: str) -> Policy:
    """The policy of that name; `UnknownNameError` says what is close."""
    if name not in POLICIES:
        raise unknown_name("text", name, POLICIES)
    return POLICIES[name]


def as_compared(text: str) -> str:
    """A text as `same-text` compares it.

    Exactly, but for runs of white space and how accents are composed (NFC).
    """
    return " ".join(unicodedata.normalize("NFC", text).split())


def decoded(content: bytes, where: str) -> str:
    """A report's text.

    Raises `DatasetError` for another encoding than UTF-8, which would be read as other words.
    """
    text = _utf8(content)
    if text is None:
        raise DatasetError(
            f"Expected a report in UTF-8, got another encoding in {where}. Convert it"
            " (iconv -t UTF-8), or copy it again."
        )
    return text


def decoded_or_latin(content: bytes) -> tuple[str, bool]:
    """A report's text, and whether it had to be read as Latin-1 because it is not UTF-8."""
    text = _utf8(content)
    if text is None:
        return content.decode("latin-1"), True
    return text, False


def _utf8(content: bytes) -> str | None:
    try:
        # Without the byte order mark that some editors write.
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
