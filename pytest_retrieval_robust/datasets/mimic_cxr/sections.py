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
        "impression|conclusion|findings and impression|findings/impression"
        "|findings/ impression|ndication|impresson|imprression|imoression"
        "|impressoin|imprssion|impresion|imperssion|mpression|impession"
    ),
    "findings": (
        "findings|chest, two views|finding|findins|findindgs|findgings|findngs"
        "|findnings|finidngs|reference findings"
    ),
    "comparison": (
        "comparison|comparisons|reference exam|comparison exam|comparison film"
        "|comparision|comparsion|comparrison|comparisions"
    ),
    "indication": (
        "indication|reason for examination|reason for exam|clinical indication"
        "|idication"
    ),
    "history": "history|clinical history|clinical information|patient history|pfi",
    "examination": "examination|exam|type of examination",
    "recommendations": "recommendation(s)|recommendations|recommendation",
    "wet read": "wet read|wetread",
}
"""Section -> its spellings in the published reports, separated by `|`."""
_AS_WRITTEN = (
    "technique",
    "notification",
    "addendum",
    "date",
    "comment",
    "preamble",
)
"""Sections with one spelling, which is their name."""


def _canonical_names() -> dict[str, str]:
    names = {name: name for name in _AS_WRITTEN}
    for name, spellings in _SPELLINGS.items():
        names |= dict.fromkeys(spellings.split("|"), name)
    return names


_CANONICAL = _canonical_names()
_CONTAINED = ("impression", "findings", "history", "comparison", "addendum")
_VIEWS = re.compile(
    "chest|portable|pa and lateral|lateral and pa|ap and lateral|lateral and ap|frontal"
    " and|two views|frontal view|pa view|ap view|one view|lateral view|bone"
    " window|frontal upright|frontal semi-upright|ribs|pa and lat"
)

_MISNAMED: Mapping[str, str] = {
    "recommendations": (
        "s50913680 s59768032 s59067458 s59087630 s58157373 s56482935 s58375018"
    ),
    "examination": "s59363654 s53356173 s50743547 s59215320 s55157853",
    "technique": "s59279892 s53202765 s50808053",
    "indication": "s57936451 s50058765 s51966317 s55124749 s54365831 s54654948",
    "note": "s56451190",
    "history": "s51491012",
}
MISNAMED: Mapping[str, str] = {
    study: section
    for section, studies in _MISNAMED.items()
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
    "s58235663": (0, 0),
    "s50798377": (0, 0),
    "s54168089": (0, 0),
    "s53071062": (0, 0),
    "s56724958": (0, 0),
    "s54231141": (0, 0),
    "s53607029": (0, 0),
    "s52035334": (0, 0),
}
"""Studies whose conclusion is these characters; (0, 0) for those that have none."""


def sections_of(text: str) -> dict[str, str]:
    """Section name -> its text; the last one of a name wins.

    Headers are capitals after a newline and one space, up to a colon; what the first
    line below a header holds is never taken for a header. Empty findings and
    impressions are dropped. If neither is left, what follows the first blank line of
    the last section is `last_paragraph`.
    """
    conclusions = ("impression", "findings")
    parts = [
        (name, body)
        for name, body in _split(text)
        # An empty conclusion must not hide an earlier one of the same name.
        if body.strip() or name not in conclusions
    ]
    has_conclusion = any(name in conclusions for name, _ in parts)
    if not has_conclusion and parts:
        name, body = parts[-1]
        before, blank_line, after = body.partition("\n \n")
        if blank_line:
            parts[-1] = (name, before)
            parts.append(("last_paragraph", after))
    return {name: body.strip() for name, body in parts}


def _split(text: str) -> list[tuple[str, str]]:
    """(section, body) in the order of the report."""
    header = _HEADER.search(text)
    if header is None:
        return [("full report", text)]
    parts = [("preamble", text[: header.start(1)])]
    while header is not None:
        start = header.end()
        # The rest of the header's own line is passed over.
        line_end = max(start, text.find("\n", start))
        following = _HEADER.search(text, line_end)
        end = len(text) if following is None else following.start()
        parts.append((canonical(header.group(1)), text[start:end]))
        header = following
    return parts


def canonical(header: str) -> str:
    """The name of the section that a header begins, as it is written there."""
    name = header.lower().strip()
    if name in _CANONICAL:
        return _CANONICAL[name]
    for section in _CONTAINED:
        if section in name:
            return section
    return "findings" if _VIEWS.search(name) else name


def conclusion_of(study: str, text: str) -> str | None:
    """The conclusion of a study that is an exception (`s50525523`); None for all others."""
    if study in RANGES:
        start, end = RANGES[study]
        return text[start:end].strip()
    if study in MISNAMED:
        return sections_of(text).get(MISNAMED[study])
    return None


def read_sections(study: str, text: str) -> Sections:
    """Findings and impression of a report.

    An exception has its conclusion as its impression, and nothing else.
    """
    conclusion = conclusion_of(study, text)
    if conclusion is not None:
        return Sections("", conclusion, text)
    parts = sections_of(text)
    return Sections(parts.get("findings", ""), parts.get("impression", ""), text)
