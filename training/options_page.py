"""Writes the table of docs/options.md: `python -m training.options_page`."""

from __future__ import annotations

from pytest_retrieval_robust.run.options import OPTIONS, OptionSpec
from training.contact_sheet import DOCS, replace_part

PAGE = DOCS / "options.md"
HEADER = (
    "| option | short | in an ini file | meaning |",
    "| --- | --- | --- | --- |",
)


def main() -> None:
    """Write the generated part of the page."""
    replace_part(PAGE, "options", table())


def table() -> str:
    """One row per option, in the order of `pytest --help`."""
    return "\n".join([*HEADER, *(row(option) for option in OPTIONS)])


def row(option: OptionSpec) -> str:
    """The option with its value, its short form, its name in an ini file and its meaning."""
    written = option.flag
    if option.metavar is not None:
        written = f"{option.flag} {option.metavar}"
    short = ""
    if option.alias is not None:
        short = f"`{option.alias}`"
    ini = ""
    if not option.typed_alone:
        ini = f"`{option.dest}`"
    return f"| `{written}` | {short} | {ini} | {option.meaning} |"


if __name__ == "__main__":
    main()
