"""MIMIC-CXR reports to sections, by the rules of the data set's own parser.

Source of the rules, the spellings and the studies' exceptions:
github.com/MIT-LCP/mimic-cxr, txt/section_parser.py and txt/create_section_files.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from .._files.records import Sections

_HEADER = re.compile(r"\n ([A-Z ()/,-]+):\s")

_SPELLINGS: Mapping[str, str] = {
    "impression": (
        """impression|conclusion|findings and impression|findings/impression|findings/ impression|ndication|
        impresson|imprression|imoression|impressoin|imprssion|impresion|imperssion|mpression|impession"""
    ),
    "findings": (
        """findings|chest, two views|finding|findins|findindgs|findgings|findngs|findnings|finidngs|
        reference findings"""
    ),
    "comparison": (
        """comparison|comparisons|reference exam|comparison exam|comparison film|comparision|comparsion|
        comparrison|comparisions"""
    ),
    "indication": (
        "indication|reason for examination|reason for exam|clinical"
        " indication|idication"
    ),
    "history": "history|clinical history|clinical information|patient history|pfi",
    "examination": "examination|exam|type of examination",
    "recommendations": "recommendation(s)|recommendations|recommendation",
    "wet read": "wet read|wetread",
    **{
        name: name
        for name in (
            "technique",
            "notification",
            "addendum",
            "date",
            "comment",
            "preamble",
        )
    },
}
_CANONICAL = {
    spelling.strip(): name
    for name, spellings in _SPELLINGS.items()
    for spelling in spellings.split("|")
}
_CONTAINED = ("impression", "findings", "history", "comparison", "addendum")
_VIEWS = re.compile(
    "chest|portable|pa and lateral|lateral and pa|ap and lateral|lateral and ap|frontal"
    " and|two views|frontal view|pa view|ap view|one view|lateral view|bone"
    " window|frontal upright|frontal semi-upright|ribs|pa and lat"
)

MISNAMED: Mapping[str, str] = {
    study: name
    for name, studies in {
        "recommendations": (
            """s50913680 s59768032 s59067458 s59087630 s58157373 s56482935 s58375018"""
        ),
        "examination": "s59363654 s53356173 s50743547 s59215320 s55157853",
        "technique": "s59279892 s53202765 s50808053",
        "indication": "s57936451 s50058765 s51966317 s55124749 s54365831 s54654948",
        "note": "s56451190",
        "history": "s51491012",
    }.items()
    for study in studies.split()
}
"""Studies whose conclusion stands under another heading."""

RANGES: Mapping[str, tuple[int, int]] = {
    "s50525523": (201, 349),
    "s57564132": (233, 554),
    "s59982525": (313, 717),
    "s53488209": (149, 475),
    "s54875119": (234, 988),
    "s50196495": (59, 399),
    "s56579911": (59, 218),
    "s52648681": (292, 631),
    "s59889364": (172, 453),
    "s53514462": (73, 377),
    "s59505494": (59, 450),
    "s53182247": (59, 412),
    "s51410602": (47, 320),
    "s56412866": (522, 822),
    "s54986978": (59, 306),
    "s59003148": (262, 505),
    "s57150433": (61, 394),
    "s56760320": (219, 457),
    "s59562049": (158, 348),
    "s52674888": (145, 296),
    "s55258338": (192, 568),
    "s59330497": (140, 655),
    "s52119491": (179, 454),
    **dict.fromkeys(("s58235663", "s50798377", "s54168089", "s53071062"), (0, 0)),
    **dict.fromkeys(("s56724958", "s54231141", "s53607029", "s52035334"), (0, 0)),
}
"""Studies whose conclusion is these characters; (0, 0) for those that have none."""


def sections_of(text: str) -> dict[str, str]:
    """Section name -> its text; the last one of a name wins.

    Headers are capitals after a newline and one space, up to a colon; what the first
    line below a header holds is never taken for a header. Empty findings and
    impressions are dropped. Where neither is left, what follows the first blank line of
    the last section is `last_paragraph`.
    """
    parts = [
        (name, body)
        for name, body in _split(text)
        if body.strip() or name not in ("impression", "findings")
    ]
    names = {name for name, _ in parts}
    if not names & {"impression", "findings"} and parts and "\n \n" in parts[-1][1]:
        name, body = parts.pop()
        before, _, after = body.partition("\n \n")
        parts += [(name, before), ("last_paragraph", after)]
    return {name: body.strip() for name, body in parts}


def _split(text: str) -> list[tuple[str, str]]:
    header = _HEADER.search(text)
    if header is None:
        return [("full report", text)]
    parts = [("preamble", text[: header.start(1)])]
    while header is not None:
        start = header.end()
        following = _HEADER.search(text, start + max(0, text[start:].find("\n")))
        parts.append(
            (
                canonical(header.group(1)),
                text[start : following.start() if following else len(text)],
            )
        )
        header = following
    return parts


def canonical(header: str) -> str:
    """A header as it is written to the name of its section."""
    name = header.lower().strip()
    if name in _CANONICAL:
        return _CANONICAL[name]
    contained = next((part for part in _CONTAINED if part in name), None)
    if contained is not None:
        return contained
    return "findings" if _VIEWS.search(name) else name


def conclusion_of(study: str, text: str) -> str | None:
    """The conclusion of a study that is an exception (`s50525523`); None for all others."""
    if study in RANGES:
        start, end = RANGES[study]
        return text[start:end].strip()
    return sections_of(text).get(MISNAMED[study]) if study in MISNAMED else None


def read_sections(study: str, text: str) -> Sections:
    """Findings and impression of a report; an exception's conclusion is its impression,
    and all that it has.
    """
    conclusion = conclusion_of(study, text)
    if conclusion is not None:
        return Sections("", conclusion, text)
    parts = sections_of(text)
    return Sections(parts.get("findings", ""), parts.get("impression", ""), text)
