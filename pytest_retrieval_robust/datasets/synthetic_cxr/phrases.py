"""How a radiologist may word each finding.

Every abnormal state has wordings of its own, so that reports are complete. Devices are
worded in `device_phrases`, what is normal in `normal_phrases`. Sizes in numbers are
those of the pictures, which show about 40 cm.
"""

from __future__ import annotations

from collections.abc import Callable

from .device_phrases import (
    DEVICE_WORDS,
    Wordings,
)

_LOBE = {
    "right upper": "right upper lobe",
    "right middle": "right middle lobe",
    "right lower": "right lower lobe",
    "left upper": "left upper lobe",
    "left lower": "left lower lobe",
}
_SIZE = {
    "small": ("small", "tiny"),
    "moderate": ("moderate", "medium-sized"),
    "large": ("large", "extensive"),
}
_DEPTH = {"small": 3, "moderate": 8, "large": 14}
_GAP = {"small": 2, "large": 6}
_NODULE = {
    "small": ("small", "tiny", "15 mm", "12 mm"),
    "large": ("large", "dominant", "35 mm", "3 cm"),
}
_ENLARGED = {"mild": ("mildly", "mild"), "severe": ("severely", "marked")}
_OEDEMA = {"mild": ("mild", "slight"), "severe": ("severe", "florid")}
_BASES = {"right": "the right base", "left": "the left base", "both": "both bases"}
_BASILAR = {"right": "right basilar", "left": "left basilar", "both": "bibasilar"}
_ZONE = {"upper": "upper zone", "mid": "mid zone", "lower": "lower zone"}


def wordings(slot: str, state: str, size: str = "small") -> tuple[Wordings, Wordings]:
    """(findings, impression): full sentences and short labels for an abnormal state.

    `size` is the state of the slot `nodule size`, which only the slot `nodule` uses.
    """
    if slot == "nodule":
        return _nodule(state, size)
    # Two findings have a slot per side, whose name ends with it.
    group, _, side = slot.partition(" ")
    if group == "effusion":
        return _effusion(side, state)
    if group == "consolidation":
        return _consolidation(side, state)
    return _WORDS[slot](state)


def _a(words: str) -> str:
    """`words` after their indefinite article."""
    article = "an" if words[0] in "aeiou" else "a"
    return f"{article} {words}"


def _effusion(side: str, state: str) -> tuple[Wordings, Wordings]:
    adjective, synonym = _SIZE[state]
    return (
        f"there is {_a(adjective)} {side} pleural effusion",
        f"{synonym} pleural effusion on the {side}",
        f"{adjective} {side}-sided effusion blunts the costophrenic angle",
        f"{_a(adjective)} amount of fluid layers in the {side} pleural space",
        f"the {side} costophrenic angle is obscured by {_a(synonym)} effusion",
        f"{side} pleural effusion, {adjective}, about {_DEPTH[state]} cm deep",
        f"{side} pleural fluid measures {_DEPTH[state]} cm in depth",
    ), (
        f"{adjective} {side} pleural effusion",
        f"{synonym} {side} effusion",
        f"{side} pleural effusion, {adjective}",
    )


def _pneumothorax(state: str) -> tuple[Wordings, Wordings]:
    side, size = state.split()
    adjective, synonym = _SIZE[size]
    return (
        f"{adjective} {side} pneumothorax is present",
        f"a pleural line is seen on the {side}, consistent with {_a(adjective)} pneumothorax",
        f"there is {_a(synonym)} pneumothorax on the {side}",
        f"{side}-sided pneumothorax, {adjective}, with a visible pleural line",
        f"{side} pneumothorax with {_GAP[size]} cm of pleural separation",
        f"the {side} lung is separated from the chest wall by {_a(synonym)} pneumothorax",
    ), (
        f"{adjective} {side} pneumothorax",
        f"{synonym} {side}-sided pneumothorax",
        f"{side} pneumothorax, {adjective}",
    )


def _consolidation(side: str, state: str) -> tuple[Wordings, Wordings]:
    lobe = _LOBE[f"{side} {state}"]
    return (
        f"there is consolidation in the {lobe}",
        f"airspace opacity in the {lobe} is concerning for pneumonia",
        f"{lobe} consolidation with air bronchograms",
        f"patchy opacification of the {lobe}",
        f"the {lobe} is consolidated",
        f"dense opacity in the {lobe}, likely pneumonia",
        f"focal consolidation involves the {lobe}",
    ), (f"{lobe} pneumonia", f"{lobe} consolidation", f"likely {lobe} pneumonia")


def _nodule(state: str, size: str) -> tuple[Wordings, Wordings]:
    side, zone = state.split()
    adjective, synonym, diameter, other_diameter = _NODULE[size]
    where = f"{side} {_ZONE[zone]}"
    return (
        f"{adjective} nodule in the {where}",
        f"{_a(synonym)} rounded nodular opacity projects over the {where}",
        f"there is {_a(adjective)} pulmonary nodule in the {where}",
        f"{_a(diameter)} nodule projects over the {where}",
        f"{where} nodule measuring {other_diameter}",
        f"{synonym} round opacity in the {where}, likely a nodule",
        f"{_a(other_diameter)} nodule is seen in the {where}",
    ), (
        f"{adjective} {where} nodule",
        f"{synonym} nodule, {where}",
        f"{diameter} {where} nodule",
    )


def _heart(state: str) -> tuple[Wordings, Wordings]:
    adverb, adjective = _ENLARGED[state]
    return (
        f"the heart is {adverb} enlarged",
        f"{adjective} cardiomegaly",
        f"cardiac silhouette is {adverb} enlarged",
        f"there is {adjective} enlargement of the cardiac silhouette",
        f"heart size is {adverb} increased",
        f"{adjective} cardiac enlargement",
    ), (
        f"{adjective} cardiomegaly",
        f"{adverb} enlarged heart",
        f"{adjective} cardiac enlargement",
    )


def _oedema(state: str) -> tuple[Wordings, Wordings]:
    adjective, synonym = _OEDEMA[state]
    return (
        f"{adjective} pulmonary edema",
        f"there is {synonym} interstitial edema with perihilar haze",
        f"perihilar opacities compatible with {adjective} edema",
        f"{adjective} vascular congestion with interstitial edema",
        f"perihilar haze and septal lines indicate {adjective} edema",
        f"{synonym} bilateral perihilar haze from edema",
    ), (
        f"{adjective} pulmonary edema",
        f"{synonym} edema",
        f"pulmonary edema, {adjective}",
    )


def _atelectasis(state: str) -> tuple[Wordings, Wordings]:
    where = _BASES[state]
    how = _BASILAR[state]
    return (
        f"linear atelectasis at {where}",
        f"{how} platelike atelectasis",
        f"streaky {how} opacities reflect atelectasis",
        f"plates of atelectasis at {where}",
        f"linear opacities at {where}, likely atelectasis",
        f"there is subsegmental atelectasis at {where}",
    ), (
        f"{how} atelectasis",
        f"{how} subsegmental atelectasis",
        f"atelectasis at {where}",
    )


def _diaphragm(state: str) -> tuple[Wordings, Wordings]:
    return (
        f"the {state} hemidiaphragm is elevated",
        f"elevation of the {state} hemidiaphragm",
        f"raised {state} hemidiaphragm",
        f"the {state} hemidiaphragm lies higher than expected",
        f"{state} hemidiaphragm elevation is noted",
        f"high position of the {state} hemidiaphragm",
    ), (
        f"elevated {state} hemidiaphragm",
        f"{state} hemidiaphragm elevation",
        f"raised {state} hemidiaphragm",
    )


def _scoliosis(state: str) -> tuple[Wordings, Wordings]:
    term = "dextroscoliosis" if state == "right" else "levoscoliosis"
    return (
        f"thoracic scoliosis convex to the {state}",
        f"there is {state} convex scoliosis of the thoracic spine",
        f"{term} is noted, convex {state}",
        f"the thoracic spine curves to the {state}",
        f"curvature of the spine, convex {state}",
        f"{state} convex thoracic scoliosis is noted",
    ), (
        f"{state} convex scoliosis",
        f"scoliosis, convex {state}",
        f"thoracic scoliosis, convex {state}",
    )


def _volumes(state: str) -> tuple[Wordings, Wordings]:
    if state == "low":
        return (
            "lung volumes are low",
            "low lung volumes",
            "poor inspiratory effort with low volumes",
            "shallow inspiration with low lung volumes",
            "the lungs are poorly expanded",
            "inspiratory volumes are low",
        ), ("low lung volumes", "low volumes", "shallow inspiration")
    return (
        "the lungs are hyperinflated",
        "hyperinflation with flattened diaphragms",
        "hyperexpanded lungs suggest emphysema",
        "lung volumes are high",
        "high lung volumes with flattened diaphragms",
        "the lungs are hyperexpanded",
    ), ("hyperinflation", "hyperinflated lungs", "hyperexpanded lungs")


_WORDS: dict[str, Callable[[str], tuple[Wordings, Wordings]]] = {
    "pneumothorax": _pneumothorax,
    "heart": _heart,
    "oedema": _oedema,
    "atelectasis": _atelectasis,
    "diaphragm": _diaphragm,
    "scoliosis": _scoliosis,
    "volumes": _volumes,
    **DEVICE_WORDS,
}
