"""GitHub's Markdown: text that stays text, names as code, tables, folded parts, lists."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from .._text import plain, readable, short

SHOWN = 10
"""Entries of a list or rows of a table before the rest is folded."""


def text(words: str) -> str:
    r"""Text that stays what it is: no markup, no mention of a person, no link to an issue.

    >>> text("a*b @user #7 <b>")
    'a\\*b @\u200buser #\u200b7 &lt;b&gt;'
    """
    escaped = readable(words).replace("&", "&amp;")
    escaped = re.sub(r"([\\`*_{}\[\]|~$!])", r"\\\1", escaped)
    escaped = escaped.replace("<", "&lt;").replace(">", "&gt;")
    # What makes a list or a heading at the start of a line, and what GitHub links anywhere:
    # an invisible space breaks it.
    escaped = re.sub(r"^(\s*)([-+=#]|\d+[.)])", "\\1\u200b\\2", escaped)
    return re.sub(r"(@|#(?=\d)|GH-(?=\d)|://|www\.)", "\\1\u200b", escaped)


def code(name: str) -> str:
    r"""A name as code, in which nothing has a meaning; `table` takes it too.

    >>> code("a`b|c")
    '``a`b|c``'
    """
    shown = short(name)
    # Markdown takes a space away at both ends. A backslash at the end would escape the fence.
    is_blank = not shown.strip()
    starts_oddly = shown.startswith(("`", " "))
    ends_oddly = shown.endswith(("`", "\\", " "))
    pad = " " if is_blank or starts_oddly or ends_oddly else ""
    fence = _fence(shown)
    return f"{fence}{pad}{shown or '-'}{pad}{fence}"


def command_code(command: str) -> str:
    """A command as code, to its end."""
    shown = plain(command)
    fence = _fence(shown)
    pad = "" if shown.strip("`") == shown else " "
    return f"{fence}{pad}{shown}{pad}{fence}"


def _fence(content: str) -> str:
    """One more backtick than the longest row of them inside."""
    rows = re.findall("`+", content)
    return "`" * (1 + max(map(len, rows), default=0))


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], numbers: int) -> str:
    r"""A table whose columns are numbers, but for the first `numbers`.

    A bar within a cell is escaped, also in code, as GitHub asks for. A backslash before
    it would escape the escape.
    """
    ruler = ["---"] * numbers + ["---:"] * (len(heads) - numbers)
    return "\n".join(map(_table_row, (heads, ruler, *rows)))


def _table_row(cells: Sequence[str]) -> str:
    escaped = [re.sub(r"(\\?)\|", _bar, cell) for cell in cells]
    return f"| {' | '.join(escaped)} |"


def _bar(match: re.Match[str]) -> str:
    return "\\\u200b\\|" if match[1] else "\\|"


def folded(summary: str, content: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n{content}\n\n</details>"


def listed(
    title: str, sentences: Sequence[str], head: str = "###", count: int | None = None
) -> Iterator[str]:
    """The first ten under their heading, in one block, and a folded block of the others.

    Each sentence stands once.
    """
    if not sentences:
        return
    lines = [f"- {text(sentence)}" for sentence in dict.fromkeys(sentences)]
    total = len(lines) if count is None else count
    first = "\n".join(lines[:SHOWN])
    yield f"{head} {title}: {total}\n\n{first}"
    if len(lines) > SHOWN:
        yield folded(f"{len(lines) - SHOWN} more", "\n".join(lines[SHOWN:]))
