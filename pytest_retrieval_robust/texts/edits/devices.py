"""The devices that the rules know, as reports in English name them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from .phrases import PhraseIndex, Word

_FORMS: Mapping[str, tuple[str, ...]] = {
    "endotracheal tube": ("endotracheal tube", "et tube", "ett", "endotracheal"),
    "tracheostomy tube": ("tracheostomy tube", "tracheostomy"),
    "enteric tube": (
        *("nasogastric tube", "ng tube", "enteric tube", "orogastric tube"),
        *("og tube", "feeding tube", "dobbhoff tube", "dobbhoff", "nasogastric"),
    ),
    "PICC": ("picc line", "picc"),
    "chest port": ("port-a-cath", "portacath", "mediport", "port", "chest port"),
    "central venous catheter": (
        *("central venous catheter", "central line", "central venous line"),
        *("internal jugular catheter", "internal jugular line", "ij catheter"),
        *("ij line", "subclavian catheter", "subclavian line", "dialysis catheter"),
        *("internal jugular central venous catheter", "central catheter"),
        *("swan-ganz catheter", "swan-ganz"),
    ),
    "pacemaker": (
        *("pacemaker", "pacer", "aicd", "icd", "defibrillator", "pacing device"),
        *("cardiac generator", "generator"),
    ),
    "chest tube": ("chest tube", "chest tubes", "pigtail catheter", "thoracostomy"),
    "": (
        *("tube", "tubes", "catheter", "catheters", "line", "lines", "lead", "leads"),
        *("wire", "wires", "clip", "clips", "device", "devices", "hardware", "stent"),
        *("stents", "valve", "prosthesis", "sternotomy", "suture", "sutures", "rod"),
        *("screw", "screws", "pump", "balloon", "electrode", "electrodes", "drain"),
        *("stimulator", "surgical", "implant", "implants", "button", "jewelry"),
        *("plate", "foreign", "metallic", "monitor", "monitoring", "staples", "rods"),
        *("tip", "sheath", "shunt", "postsurgical", "postoperative", "cabg"),
        *(
            "fusion",
            "fixation",
            "prosthetic",
            "pacing",
            "intubated",
            "ventricular lead",
        ),
    ),
}
"""Device -> the words for it, in lower case. Those of "" name no device of their own."""

_DEVICES = {form: device for device, forms in _FORMS.items() for form in forms}
_INDEX = PhraseIndex(_DEVICES)


@dataclass(frozen=True, repr=False)
class DeviceMention:
    """A device that a sentence names; `device` is "" for a word such as "tube" alone."""

    device: str
    form: str
    start: int
    end: int

    def __repr__(self) -> str:
        return f"<DeviceMention of {self.device or 'some device'}>"


def devices_in(words: Sequence[Word]) -> Iterator[DeviceMention]:
    """The devices and words for devices of a sentence."""
    for form, start, end in _INDEX.find(words):
        yield DeviceMention(_DEVICES[form], form, start, end)
