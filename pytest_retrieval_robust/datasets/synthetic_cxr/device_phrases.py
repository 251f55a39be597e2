"""How a radiologist may word each device: sentences for the findings, short labels for
the impression.
"""

from __future__ import annotations

from collections.abc import Callable

Wordings = tuple[str, ...]


def _pacemaker(state: str) -> tuple[Wordings, Wordings]:
    return (
        f"{state} chest wall pacemaker with leads in the heart",
        f"a {state}-sided pacemaker is in place",
        f"dual-lead pacing device projects over the {state} chest",
        f"pacemaker generator over the {state} chest wall",
        f"{state} pectoral pacemaker with two leads",
        f"the leads of a {state}-sided pacemaker end in the heart",
    ), (f"{state} pacemaker", f"{state}-sided pacemaker in place")


def _tube(state: str) -> tuple[Wordings, Wordings]:
    if state == "good":
        return (
            "endotracheal tube tip is in standard position above the carina",
            "the endotracheal tube ends well above the carina",
            "appropriately positioned endotracheal tube",
            "endotracheal tube in standard position",
            "the endotracheal tube is well positioned",
            "the tip of the endotracheal tube projects above the carina",
        ), (
            "endotracheal tube in standard position",
            "well positioned endotracheal tube",
        )
    return (
        "endotracheal tube tip lies low in the right main bronchus",
        "the endotracheal tube is too low, entering the right mainstem bronchus",
        "low-lying endotracheal tube with right mainstem intubation",
        "the endotracheal tube extends into the right main bronchus",
        "endotracheal tube tip is below the carina in the right mainstem bronchus",
        "malpositioned endotracheal tube in the right main bronchus",
    ), (
        "right mainstem intubation, retract the tube",
        "low endotracheal tube, withdrawal advised",
        "malpositioned endotracheal tube, retraction advised",
    )


def _line(state: str) -> tuple[Wordings, Wordings]:
    return (
        f"{state} central venous catheter ends in the superior vena cava",
        f"the tip of the {state} central line projects over the SVC",
        f"a {state} line terminates in the SVC",
        f"{state} catheter with its tip in the SVC",
        f"the {state} central line reaches the superior vena cava",
        f"{state} central venous catheter in standard position",
    ), (f"{state} line in place", f"{state} central line in place")


def _picc(state: str) -> tuple[Wordings, Wordings]:
    return (
        f"{state} PICC ends in the superior vena cava",
        f"a {state} arm PICC terminates in the SVC",
        f"peripherally inserted catheter from the {state} reaches the SVC",
        f"the tip of the {state} PICC projects over the SVC",
        f"{state}-sided PICC with its tip in the SVC",
        f"the {state} arm PICC is in standard position",
    ), (f"{state} PICC in place", f"{state} arm PICC in place")


def _gastric_tube(_state: str) -> tuple[Wordings, Wordings]:
    return (
        "nasogastric tube courses below the diaphragm into the stomach",
        "enteric tube tip is in the stomach",
        "the feeding tube passes into the stomach",
        "the enteric tube ends below the diaphragm",
        "nasogastric tube with its tip in the stomach",
        "an enteric tube projects over the stomach",
    ), ("enteric tube in the stomach", "nasogastric tube in place")


def _wires(_state: str) -> tuple[Wordings, Wordings]:
    return (
        "median sternotomy wires are intact",
        "sternal wires from prior cardiac surgery",
        "the patient is status post sternotomy",
        "sternotomy wires are aligned",
        "intact sternal wires after median sternotomy",
        "there are midline sternotomy wires",
    ), ("prior sternotomy", "status post sternotomy")


DEVICE_WORDS: dict[str, Callable[[str], tuple[Wordings, Wordings]]] = {
    "pacemaker": _pacemaker,
    "tube": _tube,
    "line": _line,
    "picc": _picc,
    "gastric tube": _gastric_tube,
    "wires": _wires,
}
