"""Results that a script writes into a page of the documentation, between two marks."""

from __future__ import annotations

from pathlib import Path


def write_into(page: Path, text: str, name: str = "table") -> None:
    """Put results between the two marks of a page that bear a name.

    Raises `SystemExit` where the page lacks one: nothing of it is changed then.
    """
    begin = f"<!-- the {name} begins -->"
    end = f"<!-- the {name} ends -->"
    before, _, rest = page.read_text(encoding="utf-8").partition(begin)
    _, mark, after = rest.partition(end)
    if not mark:
        raise SystemExit(
            f"Expected {begin} and {end} in {page.name}, got a page without them."
        )
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")
