"""How a radiologist may word each finding. Every abnormal state has wordings of its own, so reports are complete."""

from __future__ import annotations

from collections.abc import Callable

_LOBE = {
    "right upper": "right upper lobe",
    "right middle": "right middle lobe",
    "right lower": "right lower lobe",
    "left upper": "left upper lobe",
    "left lower": "left lower lobe",
}
_SIZE = {"small": ("small", "tiny"), "moderate": ("moderate", "medium-sized"), "large": ("large", "extensive")}
_NODULE = {"small": ("small", "subcentimeter"), "large": ("large", "dominant")}
_ZONE = {"upper": "upper zone", "mid": "mid zone", "lower": "lower zone"}

Wordings = tuple[str, ...]


def wordings(slot: str, state: str, size: str = "small") -> tuple[Wordings, Wordings]:
    """(findings, impression): full sentences and short labels for an abnormal `state` of `slot`.

    `size` is the state of the slot `nodule size`, which only the slot `nodule` uses.
    """
    if slot == "nodule":
        return _nodule(state, size)
    group, _, side = slot.partition(" ")
    if group in ("effusion", "consolidation"):
        return _effusion(side, state) if group == "effusion" else _consolidation(side, state)
    return _WORDS[slot](state)


def _effusion(side: str, state: str) -> tuple[Wordings, Wordings]:
    one, two = _SIZE[state]
    return (
        f"there is a {one} {side} pleural effusion",
        f"{two} pleural effusion on the {side}",
        f"{one} {side}-sided effusion blunts the costophrenic angle",
        f"{two} amount of fluid layers in the {side} pleural space",
    ), (f"{one} {side} pleural effusion", f"{two} {side} effusion")


def _pneumothorax(state: str) -> tuple[Wordings, Wordings]:
    side, size = state.split()
    one, two = _SIZE[size]
    return (
        f"{one} {side} pneumothorax is present",
        f"a pleural line is seen on the {side}, consistent with a {one} pneumothorax",
        f"there is a {two} pneumothorax on the {side}",
    ), (f"{one} {side} pneumothorax", f"{two} {side}-sided pneumothorax")


def _consolidation(side: str, state: str) -> tuple[Wordings, Wordings]:
    lobe = _LOBE[f"{side} {state}"]
    return (
        f"there is consolidation in the {lobe}",
        f"airspace opacity in the {lobe} is concerning for pneumonia",
        f"{lobe} consolidation with air bronchograms",
        f"patchy opacification of the {lobe}",
    ), (f"{lobe} pneumonia", f"{lobe} consolidation")


def _nodule(state: str, size: str) -> tuple[Wordings, Wordings]:
    side, zone = state.split()
    one, two = _NODULE[size]
    return (
        f"{one} nodule in the {side} {_ZONE[zone]}",
        f"a {two} rounded nodular opacity projects over the {side} {_ZONE[zone]}",
        f"there is a {one} pulmonary nodule in the {side} {_ZONE[zone]}",
    ), (f"{one} {side} {_ZONE[zone]} nodule", f"{two} nodule, {side} {_ZONE[zone]}")


def _heart(state: str) -> tuple[Wordings, Wordings]:
    one, two = {"mild": ("mildly", "mild"), "severe": ("severely", "marked")}[state]
    return (
        f"the heart is {one} enlarged",
        f"{two} cardiomegaly",
        f"cardiac silhouette is {one} enlarged",
        f"there is {two} enlargement of the cardiac silhouette",
    ), (f"{two} cardiomegaly", f"{one} enlarged heart")


def _oedema(state: str) -> tuple[Wordings, Wordings]:
    one, two = {"mild": ("mild", "slight"), "severe": ("severe", "florid")}[state]
    return (
        f"{one} pulmonary edema",
        f"there is {two} interstitial edema with perihilar haze",
        f"perihilar opacities compatible with {one} edema",
    ), (f"{one} pulmonary edema", f"{two} edema")


def _atelectasis(state: str) -> tuple[Wordings, Wordings]:
    where = {"right": "right base", "left": "left base", "both": "both bases"}[state]
    how = {"right": "right basilar", "left": "left basilar", "both": "bibasilar"}[state]
    return (
        f"linear atelectasis at the {where}" if state != "both" else f"linear atelectasis at {where}",
        f"{how} platelike atelectasis",
        f"streaky {how} opacities reflect atelectasis",
    ), (f"{how} atelectasis", f"{how} subsegmental atelectasis")


def _diaphragm(state: str) -> tuple[Wordings, Wordings]:
    return (
        f"the {state} hemidiaphragm is elevated",
        f"elevation of the {state} hemidiaphragm",
        f"raised {state} hemidiaphragm",
    ), (f"elevated {state} hemidiaphragm", f"{state} hemidiaphragm elevation")


def _scoliosis(state: str) -> tuple[Wordings, Wordings]:
    return (
        f"thoracic scoliosis convex to the {state}",
        f"there is {state} convex scoliosis of the thoracic spine",
        f"dextroscoliosis is noted, convex {state}" if state == "right" else f"levoscoliosis is noted, convex {state}",
    ), (f"{state} convex scoliosis", f"scoliosis, convex {state}")


def _volumes(state: str) -> tuple[Wordings, Wordings]:
    if state == "low":
        return ("lung volumes are low", "low lung volumes", "poor inspiratory effort with low volumes"), (
            "low lung volumes",
        )
    full = (
        "the lungs are hyperinflated",
        "hyperinflation with flattened diaphragms",
        "hyperexpanded lungs suggest emphysema",
    )
    return full, ("hyperinflation", "hyperinflated lungs")


def _pacemaker(state: str) -> tuple[Wordings, Wordings]:
    return (
        f"{state} chest wall pacemaker with leads in the heart",
        f"a {state}-sided pacemaker is in place",
        f"dual-lead pacing device projects over the {state} chest",
    ), (f"{state} pacemaker",)


def _tube(state: str) -> tuple[Wordings, Wordings]:
    if state == "good":
        return (
            "endotracheal tube tip is in standard position above the carina",
            "the endotracheal tube ends well above the carina",
            "appropriately positioned endotracheal tube",
        ), ("endotracheal tube in standard position",)
    return (
        "endotracheal tube tip lies low in the right main bronchus",
        "the endotracheal tube is too low, entering the right mainstem bronchus",
        "low-lying endotracheal tube with right mainstem intubation",
    ), ("right mainstem intubation, retract the tube", "low endotracheal tube, withdrawal advised")


def _line(state: str) -> tuple[Wordings, Wordings]:
    name = f"{state} central venous catheter"
    return (
        f"{name} ends in the superior vena cava",
        f"the tip of the {state} central line projects over the svc",
        f"a {state} line terminates in the svc",
    ), (f"{state} line in place",)


def _picc(state: str) -> tuple[Wordings, Wordings]:
    return (
        f"{state} picc ends in the superior vena cava",
        f"a {state} arm picc terminates in the svc",
        f"peripherally inserted catheter from the {state} reaches the svc",
    ), (f"{state} picc in place",)


def _gastric_tube(_state: str) -> tuple[Wordings, Wordings]:
    return (
        "nasogastric tube courses below the diaphragm into the stomach",
        "enteric tube tip is in the stomach",
        "the feeding tube passes into the stomach",
    ), ("enteric tube in the stomach",)


def _wires(_state: str) -> tuple[Wordings, Wordings]:
    return (
        "median sternotomy wires are intact",
        "sternal wires from prior cardiac surgery",
        "the patient is status post sternotomy",
    ), ("prior sternotomy",)


_WORDS: dict[str, Callable[[str], tuple[Wordings, Wordings]]] = {
    "pneumothorax": _pneumothorax,
    "heart": _heart,
    "oedema": _oedema,
    "atelectasis": _atelectasis,
    "diaphragm": _diaphragm,
    "scoliosis": _scoliosis,
    "volumes": _volumes,
    "pacemaker": _pacemaker,
    "tube": _tube,
    "line": _line,
    "picc": _picc,
    "gastric tube": _gastric_tube,
    "wires": _wires,
}

# Normal statements: the slots that must all be normal for one of the wordings to be true.
NEGATIVES: tuple[tuple[tuple[str, ...], Wordings], ...] = (
    (
        ("effusion right", "effusion left"),
        ("no pleural effusion", "there is no effusion", "the costophrenic angles are sharp"),
    ),
    (("pneumothorax",), ("no pneumothorax", "there is no evidence of pneumothorax", "no pneumothorax is seen")),
    (
        ("effusion right", "effusion left", "pneumothorax"),
        ("no pleural effusion or pneumothorax", "no effusion or pneumothorax is seen"),
    ),
    (
        ("consolidation right", "consolidation left"),
        ("no focal consolidation", "no lobar consolidation", "no evidence of pneumonia"),
    ),
    (
        ("heart",),
        ("the heart size is normal", "cardiomediastinal silhouette is within normal limits", "no cardiomegaly"),
    ),
    (("oedema",), ("no pulmonary edema", "pulmonary vasculature is normal", "no evidence of edema")),
    (("nodule",), ("no suspicious nodule", "no pulmonary nodule is identified")),
    (
        ("consolidation right", "consolidation left", "oedema", "nodule", "atelectasis"),
        ("the lungs are clear", "both lungs are clear"),
    ),
    (("diaphragm", "volumes"), ("the diaphragms are normally positioned", "diaphragmatic contours are normal")),
    (("scoliosis",), ("no acute osseous abnormality", "bony structures are intact")),
)
NORMAL_IMPRESSION = (
    "no acute cardiopulmonary process",
    "normal chest radiograph",
    "no acute cardiopulmonary abnormality",
)
STABLE_IMPRESSION = ("no other acute finding", "otherwise unremarkable chest")
