"""Corruptions and text noise from text with parameters, such as `jpeg(preset=medmnist-c)`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..core.catalogue import Catalogue, unknown_name
from ..core.errors import ConfigError
from ..core.names import parse_call
from ..corruptions import Corruption, CorruptionEntry
from ..texts.noise import TextNoise, TextNoiseEntry
from .from_text import built, occluder_from_text

if TYPE_CHECKING:
    from ..core.cases import Family
    from ..core.catalogue import Catalogues
    from ..occluders import Occluder


def corruption_from_text(
    text: str, catalogue: Catalogue[CorruptionEntry]
) -> Corruption:
    """`jpeg(preset=medmnist-c)` as a corruption."""
    name, texts = parse_call(text)
    return build_corruption(catalogue.get(name), texts)


def build_corruption(entry: CorruptionEntry, texts: Mapping[str, str]) -> Corruption:
    """The corruption with its parameters parsed from text.

    Raises `ConfigError` for an unknown or unfit parameter.
    """
    return built("corruption", entry, entry.build, texts)


def text_noise_from_text(text: str, catalogue: Catalogue[TextNoiseEntry]) -> TextNoise:
    """`truncation(tokens=64)` as a noise of reports."""
    name, texts = parse_call(text)
    return build_text_noise(catalogue.get(name), texts)


def build_text_noise(entry: TextNoiseEntry, texts: Mapping[str, str]) -> TextNoise:
    """The noise with its parameters parsed from text.

    Raises `ConfigError` for an unknown or unfit parameter.
    """
    return built("text noise", entry, entry.build, texts)


def families_with(name: str, catalogues: Catalogues) -> list[Family]:
    """The families whose catalogue has an entry of that name."""
    by_family: Mapping[Family, Catalogue[Any]] = {
        "occlusion": catalogues.occluders,
        "corruption": catalogues.corruptions,
        "text-noise": catalogues.text_noise,
    }
    return [family for family, known in by_family.items() if name in known.names()]


def perturbation_from_text(
    text: str, catalogues: Catalogues
) -> Occluder | Corruption | TextNoise:
    """The occluder, corruption or text noise that a text describes: of the one catalogue
    that has its name.

    Raises:
        UnknownNameError: None has it.
        ConfigError: Several have it, or a parameter is unfit.
    """
    name, _ = parse_call(text)
    families = families_with(name, catalogues)
    if len(families) > 1:
        raise ConfigError(
            f"Expected a name of one family, got {text!r}, which is one of"
            f" {' and '.join(families)}. Build it with load_occluder, load_corruption"
            " or load_text_noise."
        )
    if families == ["occlusion"]:
        return occluder_from_text(text, catalogues.occluders)
    if families == ["corruption"]:
        return corruption_from_text(text, catalogues.corruptions)
    if families == ["text-noise"]:
        return text_noise_from_text(text, catalogues.text_noise)
    known = [catalogues.occluders, catalogues.corruptions, catalogues.text_noise]
    names = [name for catalogue in known for name in catalogue.names()]
    kind = "occluder, corruption or text noise"
    raise unknown_name(kind, name, names, argument="name")
