"""Dual encoders through open_clip, with the preprocessing that the checkpoint declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from open_clip.tokenizer import DEFAULT_CONTEXT_LENGTH, HFTokenizer
from PIL.Image import Image
from torch import Tensor
from torchvision.transforms import Normalize, ToTensor

from ...catalogue import unknown_name
from ...errors import ConfigError, ModelError, NotOnThisMachineError, RobustError
from ...foreign import described
from .. import LoadRequest, ModelCard, Prepared
from .._files.attempt import attempt, missing_package, shown_path
from .._files.checkpoint import (
    described_encoder,
    is_harmless,
    keys_in,
    licence_of,
    require_fit,
    require_numbers,
    require_regular_members,
    sha256_of,
    torch_dtype,
    unit_rows,
)
from .._files.hub import (
    cached_folder,
    check_tokenizer,
    failing_tokenizer,
    has_vocabulary,
    missing_text_tower,
    needs_package,
    open_clip_text,
    repository_folder,
    unreadable_tokenizer,
)
from .._files.identify import looks_like
from .._files.inputs import inputs_digest, token_ids_digest, vocabulary_of
from .._files.prefixes import without_prefix
from .._files.weights_file import read_weights, weights_in
from .building import fill
from .geometry import Geometry
from .pictures import checked_overrides, eight_bit, require_shape
from .quiet import quietly


def load_tag(
    name: str, architecture: str, tag: str, request: LoadRequest
) -> OpenClipEncoder:
    """An architecture with one of open_clip's published weight tags, read by
    open_clip's own strict loader.
    """
    published = open_clip.pretrained.get_pretrained_cfg(architecture, tag)
    if not published:
        known = open_clip.list_pretrained_tags_by_model(architecture)
        raise ConfigError(
            "Expected an open_clip architecture with a published tag, got"
            f" open_clip:{architecture}/{tag}. Tags of {architecture}:"
            f" {', '.join(known) or 'none'}."
        )
    # Weights trained with QuickGELU fit an architecture without it: open_clip would
    # warn, and compute something else.
    activation = bool(published.get("quick_gelu"))
    model, preprocess, tokenizer = _created(
        name, architecture, request, pretrained=tag, force_quick_gelu=activation
    )
    for key, tensor in model.state_dict().items():
        require_numbers(name, key, tensor, weight=not key.endswith("attn_mask"))

    def published_file() -> Path:
        with _offline_unless(request.may_download):
            return Path(
                open_clip.pretrained.download_pretrained(published)
            )  # in the cache by now

    file = attempt(published_file, lambda error: _loading_error(name, error))
    source = f"open_clip:{architecture}/{tag}"
    card = _card(
        name,
        model,
        tokenizer,
        source,
        sha256_of([file] if file.is_file() else []),
        file.parent,
    )
    # open_clip's reader refuses unexpected keys, and drops the harmless ones without a word.
    dropped = {key for key in keys_in([file]) if is_harmless(key)} - set(
        model.state_dict()
    )
    card = replace(
        card,
        activation=_activation(architecture, activation),
        dropped_keys=tuple(sorted(dropped)),
        inputs_sha256=_inputs(architecture, None, tokenizer, request),
    )
    return OpenClipEncoder(name, model, preprocess, tokenizer, request, card)


def load_folder(
    name: str, folder: Path, request: LoadRequest, *, shown_source: str
) -> OpenClipEncoder:
    """A folder with `open_clip_config.json` and weights, as open_clip's `push_to_hub` writes it."""
    return _load(name, f"local-dir:{folder}", folder, request, shown_source, folder)


def load_repository(
    name: str, repository: str, request: LoadRequest, revision: str | None = None
) -> OpenClipEncoder:
    """A hub repository in open_clip's layout at a revision, fetched where it may be."""
    folder = cached_folder(repository, revision)
    if folder is None:
        wanted = ["open_clip_*", "*.json", "*.txt", "README.md"]
        folder = repository_folder(name, repository, request, wanted, revision)
    shown = f"hf:{repository}" if revision is None else f"hf:{repository}@{revision}"
    return _load(name, f"local-dir:{folder}", folder, request, shown, folder)


def load_file(
    name: str, architecture: str, checkpoint: Path, request: LoadRequest, *, source: str
) -> OpenClipEncoder:
    """A checkpoint of one's own for an architecture of `open_clip.list_models()`: a
    file or a folder with one.

    It may be as open_clip's training writes it (`state_dict`), with a prefix before
    every key. The architecture decides the activation: weights that began as OpenAI's
    need a `-quickgelu` one, and fit the other without a word, so that the card says
    which it was.
    """
    if architecture not in open_clip.list_models():
        raise unknown_name(
            "open_clip architecture", architecture, open_clip.list_models()
        )
    return _load(
        name,
        architecture,
        checkpoint,
        request,
        source,
        checkpoint if checkpoint.is_dir() else None,
    )


def _load(
    name: str,
    architecture: str,
    weights: Path,
    request: LoadRequest,
    source: str,
    folder: Path | None,
) -> OpenClipEncoder:
    if folder is not None:
        require_regular_members(name, folder)
    lacking = (
        None
        if folder is None or request.may_download
        else missing_text_tower(name, folder)
    )
    if lacking is not None:
        raise NotOnThisMachineError.because(lacking)
    # open_clip itself would only warn of a folder without weights, and leave them random.
    model, preprocess, tokenizer = _created(
        name, architecture, request, load_weights=False, pretrained_text=False
    )
    with read_weights(name, weights) as stored:
        _require_trained_as(name, architecture, stored.content)
        tensors, prefix = _as_the_model_names_them(
            name, model, weights_in(stored.content)
        )
        fit = fill(name, model, tensors, stored, looks_like(tensors))
        sha256 = stored.sha256
    card = replace(
        _card(name, model, tokenizer, source, sha256, folder),
        activation=_activation(architecture, False),
        key_prefix=prefix or None,
        missing_keys=fit.missing,
        unexpected_keys=fit.unexpected,
        dropped_keys=fit.dropped,
        inputs_sha256=_inputs(architecture, folder, tokenizer, request),
    )
    return OpenClipEncoder(name, model, preprocess, tokenizer, request, card)


_QUICK = "-quickgelu"


def _activation(architecture: str, forced: bool) -> str | None:
    """`gelu` or `quickgelu` for an architecture that has a twin with the other one, else None."""
    if forced or architecture.endswith(_QUICK):
        return "quickgelu"
    return "gelu" if f"{architecture}{_QUICK}" in open_clip.list_models() else None


def _require_trained_as(
    name: str, architecture: str, content: Mapping[str, Any]
) -> None:
    """open_clip's training names the architecture in its checkpoints; with the twin's
    activation, numbers are wrong.
    """
    run = content.get("name")
    twin = (
        architecture.removesuffix(_QUICK)
        if architecture.endswith(_QUICK)
        else f"{architecture}{_QUICK}"
    )
    if isinstance(run, str) and f"model_{twin}-lr_" in run:
        raise ModelError(
            f"Expected weights of {name} that were trained as {architecture}, got a"
            " checkpoint that was trained as "
            f"{twin}: the keys fit, and the activation does not. Set architecture ="
            f' "{twin}".'
        )


def _inputs(
    architecture: str, folder: Path | None, tokenizer: Any, request: LoadRequest
) -> str:
    """The digest of the configuration, of the tokenizer and of what the user overrides."""
    config = (
        None
        if _local_folder(architecture)
        else open_clip.get_model_config(architecture)
    )
    folders = [] if folder is None else [folder]
    return inputs_digest(
        folders, [config, dict(request.options)], _vocabulary(tokenizer)
    )


def _vocabulary(tokenizer: Any) -> bytes:
    inner = getattr(tokenizer, "tokenizer", None)
    if inner is None:
        return (
            repr(list(tokenizer.bpe_ranks.items())).encode()
            if hasattr(tokenizer, "bpe_ranks")
            else b""
        )
    return vocabulary_of(inner)


def _local_folder(architecture: str) -> Path | None:
    folder = Path(architecture.removeprefix(_LOCAL))
    return folder if architecture.startswith(_LOCAL) else None


_LOCAL = "local-dir:"


def _created(
    name: str, architecture: str, request: LoadRequest, **options: Any
) -> tuple[Any, Any, Any]:
    """open_clip's network, its transform for evaluation and its tokenizer."""
    wanted = checked_overrides(name, request.options.get("preprocessing", {}))
    overrides = {_ARGUMENTS[key]: value for key, value in wanted.items()}
    if wanted.get("interpolation", _FILTERS[0]) not in _FILTERS:
        raise unknown_name(
            "interpolation of open_clip", wanted["interpolation"], _FILTERS
        )
    if "image_resize_mode" in overrides:
        overrides["image_resize_mode"] = _RESIZE_MODES[overrides["image_resize_mode"]]

    def create() -> tuple[Any, Any, Any]:
        with _offline_unless(request.may_download), quietly():
            model, _, preprocess = open_clip.create_model_and_transforms(
                architecture,
                device="cpu",
                precision="fp32",
                weights_only=True,
                **options,
                **overrides,
            )
            return model, preprocess, _tokenizer(name, architecture, request.tokenizer)

    model, preprocess, tokenizer = attempt(
        create, lambda error: _loading_error(name, error)
    )
    if isinstance(tokenizer, HFTokenizer):
        require_fit(
            name,
            len(tokenizer.tokenizer),
            _embedding_rows(model),
            request.tokenizer or "its own",
        )
    return model, preprocess, tokenizer


def _embedding_rows(model: Any) -> int | None:
    text = getattr(model, "text", model)
    own = getattr(text, "token_embedding", None)
    table = own if own is not None else text.transformer.get_input_embeddings()
    return getattr(table, "num_embeddings", None)


def _tokenizer(name: str, architecture: str, given: str | None) -> Any:
    """The one given; else a folder's own, or the one that its configuration names; else
    open_clip's.
    """
    folder = _local_folder(architecture)
    if folder is not None:
        text = open_clip_text(folder)
    else:
        text = (open_clip.get_model_config(architecture) or {}).get("text_cfg", {})
    named = text.get("hf_tokenizer_name")
    if given is not None and not named:
        raise ConfigError(
            f"Expected no tokenizer for {name}, whose text tower has open_clip's own,"
            f" got tokenizer={shown_path(given)!r}. Leave it out."
        )
    if named and (
        given is not None or (folder is not None and not has_vocabulary(folder))
    ):
        source = given or str(named)
        check_tokenizer(name, source)
        return attempt(
            lambda: HFTokenizer(
                source,
                context_length=text.get("context_length", DEFAULT_CONTEXT_LENGTH),
                tokenizer_mode=text.get("tokenizer_mode"),
                **text.get("tokenizer_kwargs", {}),
            ),
            partial(unreadable_tokenizer, name, source),
        )
    return open_clip.get_tokenizer(architecture)


_FILTERS = ("bicubic", "bilinear")
_ARGUMENTS = {
    "mean": "image_mean",
    "std": "image_std",
    "interpolation": "image_interpolation",
    "resize": "image_resize_mode",
    "size": "force_image_size",
}
_RESIZE_MODES = {"exact": "squash", "longest": "longest", "shortest": "shortest"}


def _as_the_model_names_them(
    name: str, model: Any, tensors: dict[str, Tensor]
) -> tuple[dict[str, Tensor], str]:
    """Without the prefix of training code, which is returned, and with the text tower
    where this model has it.
    """
    own = (
        {*model.state_dict(), *_OPENAI_TEXT}
        if not hasattr(model, "positional_embedding")
        else model.state_dict()
    )
    tensors, prefix = without_prefix(name, tensors, own)
    if "positional_embedding" in tensors and not hasattr(model, "positional_embedding"):
        tensors = open_clip.model.convert_to_custom_text_state_dict(tensors)
    scale = tensors.get("logit_scale")
    if scale is not None and scale.numel() == 1:  # one number, in two shapes
        tensors = {**tensors, "logit_scale": scale.reshape(model.logit_scale.shape)}
    return tensors, prefix


_OPENAI_TEXT = ("text_projection", "positional_embedding", "token_embedding.weight")
"""Keys of a text tower that is not a module of its own: a checkpoint may name it so."""


def _card(
    name: str,
    model: Any,
    tokenizer: Any,
    source: str,
    sha256: str | None,
    folder: Path | None,
) -> ModelCard:
    def token_ids() -> str:
        return token_ids_digest(lambda texts: tokenizer(list(texts)).tolist())

    return ModelCard(
        source=source,
        revision=(
            folder.name
            if folder is not None and folder.parent.name == "snapshots"
            else None
        ),
        sha256=sha256,
        licence=None if folder is None else licence_of(folder),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        context_length=int(tokenizer.context_length),
        token_ids_sha256=attempt(token_ids, partial(failing_tokenizer, name)),
    )


def _loading_error(name: str, error: BaseException) -> RobustError:
    from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled

    package = missing_package(error)
    if package is not None:
        return needs_package(name, "open_clip model", package)
    absent = (LocalEntryNotFoundError, OfflineModeIsEnabled)
    if (
        isinstance(error, absent)
        or isinstance(error.__cause__, absent)
        or "Failed to download" in str(error)
    ):
        return NotOnThisMachineError(
            f"Expected the weights of {name} in the Hugging Face cache or on the hub,"
            f" got {described(error)}. Run once where there is a network, or allow"
            " downloads (--robust-download)."
        )
    return ModelError(
        f"Expected a whole open_clip checkpoint for {name}, got {described(error)}. The"
        " architecture and the checkpoint must belong together; load or download the"
        " matching one."
    )


class _offline_unless:
    """open_clip has no switch for offline use: for the time of a load, the hub's own one is set."""

    def __init__(self, may_download: bool) -> None:
        self._may_download = may_download

    def __enter__(self) -> None:
        from huggingface_hub import constants

        self._before = constants.HF_HUB_OFFLINE
        constants.HF_HUB_OFFLINE = self._before or not self._may_download

    def __exit__(self, *_: object) -> None:
        from huggingface_hub import constants

        constants.HF_HUB_OFFLINE = self._before


def geometry_of(name: str, config: dict[str, Any]) -> Geometry:
    """The checkpoint's declared resize; `ModelError` unless it leads to one fixed square."""
    size = config["size"]
    height, width = (size, size) if isinstance(size, int) else tuple(size)[-2:]
    if height != width:
        raise ModelError(
            f"Expected a square input of {name}, got size={size}. Register a loader of"
            " your own."
        )
    resize = {"squash": "exact", "longest": "longest", "shortest": "shortest"}[
        config.get("resize_mode") or "shortest"
    ]
    return Geometry(resize, height, height)  # type: ignore[arg-type]  # one of the three, by the table


class OpenClipEncoder:
    """An open_clip dual encoder: geometry by its own transform, normalisation and
    encoding on the device.
    """

    def __init__(
        self,
        name: str,
        model: Any,
        preprocess: Any,
        tokenizer: Any,
        request: LoadRequest,
        card: ModelCard,
    ) -> None:
        self.name, self.device, self.precision = name, request.device, request.precision
        config = dict(model.visual.preprocess_cfg)
        self._geometry = geometry_of(name, config)
        self._dtype = torch_dtype(request.precision)
        self._model = model.to(device=request.device, dtype=self._dtype).eval()
        self._tokenizer = tokenizer
        self.card = replace(card, input_size=self._geometry.side)
        self._shape = [step for step in preprocess.transforms if _is_geometry(step)]
        normalise = next(
            step for step in preprocess.transforms if isinstance(step, Normalize)
        )
        shape = (1, 3, 1, 1)
        self._mean = torch.tensor(normalise.mean, device=request.device).reshape(shape)
        self._std = torch.tensor(normalise.std, device=request.device).reshape(shape)

    def __repr__(self) -> str:
        return described_encoder(self)

    def prepare(self, image: Image) -> Prepared:
        """Resize and crop as the checkpoint's transform declares, kept at 8 bits."""
        shaped = eight_bit(image).convert("RGB")
        require_shape(image, *self._geometry.resized(*image.size))
        for step in self._shape:
            shaped = step(shaped)
        pixels = np.ascontiguousarray(
            np.asarray(shaped, dtype=np.uint8).transpose(2, 0, 1)
        )
        return Prepared(pixels, self._geometry.frame(*image.size))

    def normalise(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) on the 0..1 scale -> what the network is given, float32."""
        return (pixels - self._mean) / self._std

    @torch.inference_mode()
    def encode_images(self, pixels: Tensor) -> Tensor:
        return unit_rows(
            self._model.encode_image(self.normalise(pixels).to(self._dtype))
        )

    @torch.inference_mode()
    def encode_reports(self, texts: Sequence[str]) -> Tensor:
        tokens = self._tokenizer(list(texts)).to(self.device)
        return unit_rows(self._model.encode_text(tokens))

    def truncated(self, texts: Sequence[str]) -> int:
        """How many texts are longer than the context, special tokens counted."""
        context = int(self._tokenizer.context_length)
        return sum(self._length(text) > context for text in texts)

    def _length(self, text: str) -> int:
        inner = getattr(self._tokenizer, "tokenizer", None)
        if inner is not None:
            return len(
                inner(self._tokenizer.clean_fn(text), verbose=False)["input_ids"]
            )
        return len(self._tokenizer.encode(text)) + 2  # start and end of text


def _is_geometry(step: Any) -> bool:
    return not isinstance(step, Normalize | ToTensor)
