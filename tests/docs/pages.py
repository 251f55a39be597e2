"""The pages that a user reads, cut into what can be checked: blocks, inline code, links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[2]
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")),
)
"""Pages whose blocks are checked one by one."""
FIRST_HOUR = (
    "docs/start/index.md",
    "docs/start/first-verdict.md",
    "docs/start/own-model.md",
    "docs/start/own-data.md",
    "docs/start/own-gate.md",
    "docs/start/worse-candidate.md",
    "docs/start/baseline-in-ci.md",
    "docs/start/own-occluder.md",
    "docs/start/install.md",
)
"""Pages that are done as a whole, in this order: what was installed goes at the end."""
ALL_PAGES = (*PAGES, *FIRST_HOUR)
_FENCED = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    language: str
    """What stands after the fence; "" if nothing does."""
    number: int
    """Counted from 0 among the page's blocks of that language."""
    line: int
    text: str
    """Without the indentation of a list."""

    @property
    def key(self) -> tuple[str, str, int]:
        """By what a table of checks names it."""
        return (self.page, self.language, self.number)

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks_of(page: str, text: str) -> list[Block]:
    """All fenced blocks, in their order."""
    blocks: list[Block] = []
    for match in _FENCED.finditer(text):
        language = match["language"]
        number = sum(block.language == language for block in blocks)
        line = text.count("\n", 0, match.start()) + 1
        blocks.append(Block(page, language, number, line, dedent(match["text"])))
    return blocks


def blocks(page: str, language: str) -> list[Block]:
    """Those of one language."""
    return [
        block for block in blocks_of(page, read(page)) if block.language == language
    ]


def block(page: str, language: str, number: int = 0) -> Block:
    return blocks(page, language)[number]


def section(page: str, title: str) -> str:
    """What stands under a heading of the second level."""
    pattern = rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)"
    (text,) = re.findall(pattern, read(page), re.MULTILINE | re.DOTALL)
    return str(text)


def inline_code(page: str) -> list[str]:
    """Code within the sentences and tables of a page; one that is wrapped is one line."""
    prose = _FENCED.sub("", read(page))
    spans = re.findall(r"(?<!`)`([^`]+)`(?!`)", prose)
    return [re.sub(r"\s+", " ", span) for span in spans]


def links(page: str) -> list[str]:
    """Targets of links and pictures."""
    prose = _FENCED.sub("", read(page))
    return re.findall(r"\]\(([^)\s]+)\)", prose) + re.findall(r'src="([^"]+)"', prose)


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    prose = _FENCED.sub("", read(page))
    titles = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles
    }
