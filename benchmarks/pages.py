"""Results that a script writes into a page of the documentation, between two marks."""

from __future__ import annotations

from pathlib import Path

_BEGIN = "<!-- the table begins -->"
_END = "<!-- the table ends -->"


def write_into(page: Path, text: str) -> None:
    """Put results between the two marks of a page.

    Raises `SystemExit` where the page lacks one: nothing of it is changed then.
    """
    before, _, rest = page.read_text(encoding="utf-8").partition(_BEGIN)
    _, mark, after = rest.partition(_END)
    if not mark:
        raise SystemExit(
            f"Expected {_BEGIN} and {_END} in {page.name}, got a page without them."
        )
    page.write_text(f"{before}{_BEGIN}\n{text}\n{_END}{after}", encoding="utf-8")
