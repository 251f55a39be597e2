"""One way to load every published system: its authors' file and what is its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor, nn

from ...core.catalogue import unknown_name
from .. import LoadRequest, ModelCard
from .._files.identify import looks_like
from .._files.weight_sets import own_weights, wanted_set
from .._files.weights_file import read_weights
from .building import build, fill
from .composed import ComposedEncoder, Parts
from .pictures import Picture
from .remembered_tokens import Tokens

T = TypeVar("T")


@dataclass(frozen=True)
class Recipe:
    """What is a system's own."""

    licence: str | None
    """Of the published weights; None if it is not known."""
    anchor: str
    """A key that every file of the system has: training code put what stands before it."""
    tensors: Callable[[Mapping[str, Any]], dict[str, Tensor]]
    """The weights of the file -> those of `network`, under its names."""
    network: Callable[[Mapping[str, Tensor]], nn.Module]
    """Weights -> their network, whose variant is read from their names and shapes."""
    images: Callable[[Any], nn.Module]
    """The image tower of the network: (B, 3, S, S) normalised pixels -> (B, D)."""
    texts: Callable[[Any], nn.Module]
    """The text tower: (B, L) token ids without padding -> (B, D)."""
    picture: Callable[[str, Mapping[str, Tensor], LoadRequest], Picture]
    tokens: Callable[[str, Mapping[str, Tensor], LoadRequest], Tokens]
    unused: tuple[str, ...] = ()
    """Beginnings of keys that the authors' training needs and no embedding."""
    encoder: Callable[[Any], Callable[..., ComposedEncoder]] = lambda _: ComposedEncoder
    """The network -> the class of the encoder; another one if similarity is not the dot
    product.
    """


def load_system(
    name: str, file: Path, request: LoadRequest, recipe: Recipe, *, source: str
) -> ComposedEncoder:
    """Load a system from its authors' file.

    Raises `NotOnThisMachineError` if the file or tokenizer is missing, `ModelError` if
    the file is damaged or another model's, and `ConfigError` for an option that the
    system does not have.
    """
    name = request.name or name
    wanted = wanted_set(name, request)
    with read_weights(name, file) as stored:
        plain, prefix = own_weights(name, stored.content, (recipe.anchor,), wanted)
        # The network's variant follows from the weights, so they are read first.
        tensors = recipe.tensors(plain)
        network = build(lambda: recipe.network(tensors))
        fit = fill(name, network, tensors, stored, looks_like(tensors))
        picture = recipe.picture(name, tensors, request)
        tokens = recipe.tokens(name, tensors, request)
        sha256 = stored.sha256
    unused = [key for key in fit.unexpected if key.startswith(recipe.unused)]
    card = ModelCard(
        source=source,
        sha256=sha256,
        licence=recipe.licence,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        weights=wanted,
        key_prefix=prefix or None,
        missing_keys=fit.missing,
        unexpected_keys=tuple(key for key in fit.unexpected if key not in unused),
        dropped_keys=tuple(sorted({*fit.dropped, *unused})),
    )
    parts = Parts(
        picture=picture,
        image_tower=recipe.images(network),
        tokens=tokens,
        text_tower=recipe.texts(network),
    )
    # A learned scale and offset are read from the filled network.
    make_encoder = recipe.encoder(network)
    return make_encoder(name, card, request, parts)


def chosen(name: str, request: LoadRequest, ways: Mapping[str, T]) -> T:
    """The way of preprocessing that the request names; the first if it names none."""
    # Dictionaries keep their order: the first way is the default.
    first = next(iter(ways))
    # A table of overrides, as other models take, is no name.
    way = str(request.options.get("preprocessing", first))
    if way not in ways:
        raise unknown_name(f"preprocessing of {name}", way, ways)
    return ways[way]
