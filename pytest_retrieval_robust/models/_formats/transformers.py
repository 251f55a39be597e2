"""Dual encoders through transformers: CLIP, SigLIP and every other with a fixed square input."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image, Resampling
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModel,
    AutoTokenizer,
    PreTrainedTokenizerFast,
)

from ...errors import ConfigError, ModelError, NotOnThisMachineError, RobustError
from ...foreign import described
from .. import LoadRequest, ModelCard, Prepared
from .._files.attempt import attempt, missing_package
from .._files.checkpoint import (
    described_encoder,
    is_harmless,
    is_temperature,
    keys_in,
    licence_of,
    require_fit,
    require_no_missing,
    require_numbers,
    require_regular_members,
    sha256_of,
    torch_dtype,
    unit_rows,
    weight_files,
)
from .._files.hub import (
    cached_folder,
    check_tokenizer,
    failing_tokenizer,
    how_to_bring,
    missing_tokenizer,
    needs_package,
    unreadable_tokenizer,
)
from .._files.inputs import inputs_digest, token_ids_digest, vocabulary_of
from .._files.prefixes import prefix_of, unwrapped
from .._files.weights_file import unreadable_weights
from .geometry import Geometry
from .pictures import (
    FILTERS,
    WITHOUT_ANTIALIAS,
    Picture,
    Prepare,
    checked_overrides,
    shaped,
    stretch_without_antialias,
)
from .quiet import quietly

_PROCESSORS = ("preprocessor_config.json", "processor_config.json")
_NEEDED = ("size", "resize", "mean", "std")
"""What a user must say of preprocessing where a checkpoint says nothing."""


@dataclass(frozen=True)
class _Source:
    """A folder or a hub repository, and how it may be read."""

    name: str
    place: str
    revision: str | None
    request: LoadRequest
    trust_remote_code: bool

    @property
    def may(self) -> dict[str, Any]:
        return {
            "local_files_only": not self.request.may_download,
            "trust_remote_code": self.trust_remote_code,
        }

    @property
    def where(self) -> dict[str, Any]:
        return {**self.may, "revision": self.revision}

    @property
    def is_path(self) -> bool:
        return Path(self.place).is_absolute() or Path(self.place).exists()

    @property
    def folder(self) -> Path | None:
        """Where its files lie on this machine, if they do."""
        return (
            Path(self.place)
            if Path(self.place).is_dir()
            else cached_folder(self.place, self.revision)
        )

    def read(self, part: str, reader: Callable[[], Any]) -> Any:
        """One part of it, or the error that says what is wrong with that part."""
        return attempt(lambda: _silently(reader), partial(_reading_error, self, part))


def load_pretrained(
    name: str,
    source: str,
    request: LoadRequest,
    *,
    revision: str | None = None,
    shown_source: str | None = None,
    trust_remote_code: bool = False,
) -> TransformersEncoder:
    """Load a folder or a hub repository in the layout of `save_pretrained`.

    `preprocessing` of the request's options overrides what its image processor declares
    (`_pictures.OVERRIDES`), and stands for one where the checkpoint has none; the
    request's tokenizer replaces its own. `trust_remote_code` runs Python code of the
    repository.

    Raises `NotOnThisMachineError` when it is not there and may not be fetched,
    `ModelError` when it is there and cannot be loaded whole: missing keys, truncated
    weights, no dual encoder, no fixed square input.
    """
    asked = _Source(name, source, revision, request, trust_remote_code)
    if Path(source).is_dir():
        require_regular_members(name, Path(source))
    config = asked.read(
        "configuration", lambda: AutoConfig.from_pretrained(source, **asked.where)
    )
    _require_fixed_input(name, config)
    model, facts = _whole_model(asked)
    overrides = checked_overrides(name, request.options.get("preprocessing", {}))
    picture = _picture(asked, overrides)
    tokenizer = _tokenizer(asked)
    require_fit(
        name,
        len(tokenizer),
        getattr(_text_config(model), "vocab_size", None),
        request.tokenizer or "its own",
    )
    card = _card(asked, shown_source or source, model, facts)
    return TransformersEncoder(name, model, picture, tokenizer, request, card)


def _require_fixed_input(name: str, config: Any) -> None:
    kind = str(getattr(config, "model_type", ""))
    if kind == "siglip2":
        raise ModelError(
            f"Expected a model with a fixed square input for {name}, got"
            " model_type='siglip2' (NaFlex), whose resolution varies with the image."
            " Use a SigLIP 2 of fixed size, such as siglip2-base-patch16-224."
        )
    if kind.startswith("blip-2"):
        raise ModelError(
            f"Expected a dual encoder for {name}, got model_type={kind!r}, which embeds"
            " texts through a language model. Pass a CLIP-like checkpoint, or"
            " encoder_from_callables."
        )


def _whole_model(asked: _Source) -> tuple[Any, dict[str, Any]]:
    """The model with every weight of the checkpoint, and the facts of its loading."""
    loaded = asked.read("weights", lambda: _loaded(asked, {}))
    model, facts = loaded
    found = [*facts["unexpected_keys"]]
    own = set(model.state_dict())
    prefix = prefix_of(asked.name, map(unwrapped, found), own)
    if prefix or any(unwrapped(key) != key and unwrapped(key) in own for key in found):
        model, facts = asked.read(
            "weights", lambda: _loaded(asked, _renamed(found, prefix))
        )
    _require_shapes(asked.name, facts["mismatched_keys"])
    require_no_missing(asked.name, sorted(facts["missing_keys"]))
    weights = {key for key, _ in model.named_parameters()}
    for key, tensor in [*model.named_parameters(), *model.named_buffers()]:
        require_numbers(asked.name, key, tensor, weight=key in weights)
    return model, {**facts, "prefix": prefix}


def _renamed(found: Sequence[str], prefix: str) -> dict[str, str]:
    """Patterns that make the network's own keys of those found: one for each beginning
    that is taken off.
    """
    renamed = {}
    for key in found:
        own = unwrapped(key).removeprefix(prefix)
        if key.endswith(own):
            renamed[
                f"^{re.escape(key.removesuffix(own))}(?={re.escape(own.partition('.')[0])}\\b)"
            ] = ""
        else:  # a part was wrapped within
            renamed[f"^{re.escape(key)}$"] = own
    return renamed


def _loaded(asked: _Source, renamed: dict[str, str]) -> tuple[Any, dict[str, Any]]:
    options: dict[str, Any] = {"key_mapping": renamed} if renamed else {}
    model, facts = AutoModel.from_pretrained(
        asked.place,
        dtype=torch_dtype(asked.request.precision),
        output_loading_info=True,
        ignore_mismatched_sizes=True,  # they are refused below, by name
        **options,
        **asked.where,
    )
    return model, facts


def _require_shapes(name: str, mismatched: Any) -> None:
    for key, found, own in sorted(mismatched, key=str):
        raise ModelError(
            f"Expected {key} of shape {tuple(own)} for {name}, got"
            f" shape={tuple(found)}. Its config.json and its weights do not belong"
            " together: copy both from one checkpoint."
        )


def _picture(asked: _Source, overrides: Mapping[str, Any]) -> Picture:
    """As the checkpoint's image processor declares, overridden; where it has none, as
    the user says.
    """
    if asked.is_path and _has_no_processor(asked):
        return _picture_as_said(asked, overrides)

    def read() -> Any:
        return AutoImageProcessor.from_pretrained(
            asked.place, backend="pil", **asked.where
        )

    def nothing_or_error(error: BaseException) -> RobustError:
        # The hub was asked by now, so that what is not in the cache is not in the
        # repository either.
        asked_in_vain = (
            not asked.is_path
            and asked.request.may_download
            and _has_no_processor(asked)
        )
        return (
            _NoProcessorError()
            if asked_in_vain
            else _reading_error(asked, "image processor", error)
        )

    try:
        processor = attempt(lambda: _silently(read), nothing_or_error)
    except _NoProcessorError:
        processor = None
    if processor is None:
        return _picture_as_said(asked, overrides)
    return picture_of(asked.name, processor, overrides)


class _NoProcessorError(RobustError):
    """A repository without an image processor."""


def _has_no_processor(asked: _Source) -> bool:
    folder = asked.folder
    return folder is not None and not any(
        (folder / name).is_file() for name in _PROCESSORS
    )


def _picture_as_said(asked: _Source, overrides: Mapping[str, Any]) -> Picture:
    lacking = [key for key in _NEEDED if key not in overrides]
    if lacking:
        raise ModelError(
            f"Expected {_PROCESSORS[0]} in the folder of {asked.name}, got none, and no"
            f" {', '.join(lacking)} in preprocessing. Save the processor beside the"
            " model (processor.save_pretrained(FOLDER)), or set preprocessing = {"
            ' size = 224, resize = "shortest", mean = [...], std = [...] } in its'
            " [models.NAME] table."
        )
    return picture_of(asked.name, None, overrides)


def _silently(read: Callable[[], Any]) -> Any:
    with quietly():
        return read()


def _tokenizer(asked: _Source) -> Any:
    given = asked.request.tokenizer
    if given is None:
        reader = (
            PreTrainedTokenizerFast
            if _is_described_by_its_file(asked.folder)
            else AutoTokenizer
        )
        return asked.read(
            "tokenizer", lambda: reader.from_pretrained(asked.place, **asked.where)
        )
    check_tokenizer(asked.name, given)
    return attempt(
        lambda: _silently(lambda: AutoTokenizer.from_pretrained(given, **asked.may)),
        partial(unreadable_tokenizer, asked.name, given),
    )


def _is_described_by_its_file(folder: Path | None) -> bool:
    """A SigLIP with a `tokenizer.json` that names no class: the library would look for
    SigLIP 1's words alone.
    """
    if (
        folder is None
        or not (folder / "tokenizer.json").is_file()
        or (folder / "spiece.model").is_file()
    ):
        return False
    settings, config = (
        _json_of(folder / name) for name in ("tokenizer_config.json", "config.json")
    )
    return config.get("model_type") == "siglip" and settings.get("tokenizer_class") in (
        None,
        "SiglipTokenizer",
    )


def _json_of(file: Path) -> dict[str, Any]:
    """A small file of settings; empty where it cannot be read, which the library will say."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _reading_error(asked: _Source, part: str, error: BaseException) -> RobustError:
    name, text = asked.name, str(error)
    if "custom code" in text or "trust_remote_code" in text:
        return ModelError(
            f"Expected a checkpoint of {name} that needs no code of its own, got one"
            " that does; it was not run. If you have read it and trust it, set"
            " trust_remote_code = true in its [models.NAME] table."
        )
    package = missing_package(error)
    if package is not None:
        return needs_package(name, part, package)
    folder = asked.folder
    if not asked.is_path and folder is None:
        how = (
            ""
            if asked.request.may_download
            else "Allow downloads (--robust-download), or: "
        )
        return NotOnThisMachineError(
            f"Expected the weights of {name} in the Hugging Face cache or on the hub,"
            f" got {described(error)}. {how}{how_to_bring(asked.place, error)}, or pass"
            " local-dir:FOLDER."
        )
    absent = (
        missing_tokenizer(name, asked.place)
        if part == "tokenizer" and not asked.is_path
        else None
    )
    if absent is not None:
        return NotOnThisMachineError.because(absent)
    if part == "image processor" and not asked.is_path and _has_no_processor(asked):
        return NotOnThisMachineError(
            f"Expected the image processor of {name} in the Hugging Face cache or on"
            f" the hub, got {described(error)}. {how_to_bring(asked.place, error)}."
        )
    files = weight_files(folder) if part == "weights" and folder is not None else []
    if len(files) == 1 and files[0].suffix != ".safetensors":
        return unreadable_weights(name, files[0], error)
    if part == "configuration" and "model type" in text:
        return ModelError(
            f"Expected a model_type of {name} that the installed transformers knows,"
            " got one that it does not. Upgrade transformers, or register a loader of"
            " your own."
        )
    return ModelError(
        f"Expected a whole transformers checkpoint for {name}, got"
        f" {_ARTICLES.get(part, 'a')} {part} that cannot be read: {described(error)}."
        f" {_ADVICE.get(part, _AGAIN)}"
    )


_ARTICLES = {"image processor": "an", "weights": "its"}
_AGAIN = (
    "Copy or download the folder again, and compare its sha256 with the publisher's."
)
_ADVICE = {
    "tokenizer": (
        "Save the tokenizer beside the model (tokenizer.save_pretrained(FOLDER)), or"
        " pass tokenizer=FOLDER."
    ),
    "image processor": (
        "Save the processor beside the model again (processor.save_pretrained(FOLDER))."
    ),
}


def _card(
    asked: _Source, shown_source: str, model: Any, facts: dict[str, Any]
) -> ModelCard:
    commit = getattr(model.config, "_commit_hash", None)
    folder = (
        Path(asked.place)
        if Path(asked.place).exists()
        else cached_folder(asked.place, commit)
    )
    files = weight_files(folder) if folder else []
    unexpected = sorted(key for key in facts["unexpected_keys"] if not is_harmless(key))
    # transformers drops some harmless keys itself and does not say so: the file's own list does.
    dropped = {key for key in keys_in(files) if is_harmless(key)} - set(
        model.state_dict()
    )
    return ModelCard(
        source=shown_source,
        revision=commit
        or (folder.name if folder and folder.parent.name == "snapshots" else None),
        sha256=sha256_of(files),
        licence=licence_of(folder) if folder else None,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        context_length=_text_config(model).max_position_embeddings,
        inputs_sha256=inputs_digest(
            [folder] if folder else [], dict(asked.request.options)
        ),
        key_prefix=facts["prefix"] or None,
        missing_keys=tuple(
            sorted(key for key in facts["missing_keys"] if is_temperature(key))
        ),
        unexpected_keys=tuple(unexpected),
        dropped_keys=tuple(sorted(dropped)),
    )


def _text_config(model: Any) -> Any:
    return getattr(model.config, "text_config", model.config)


def picture_of(name: str, processor: Any, overrides: Mapping[str, Any]) -> Picture:
    """The processor's declared resize, crop and constants, overridden; `ModelError`
    without one fixed square.

    A crop is centred as OpenAI's and open_clip's transforms centre it, so that the same
    CLIP gives the same embeddings through either library: transformers' own processor
    crops one pixel off where the margin is 3 modulo 4.

    Without a processor, the overrides must say all of `_NEEDED`; bicubic is the filter
    where they name none.
    """
    declared, mean, std = Resampling.BICUBIC, (0.0,) * 3, (1.0,) * 3
    if processor is None:
        geometry = Geometry(overrides["resize"], overrides["size"], overrides["size"])
    else:
        geometry = geometry_of(name, processor)
        _require_unit_scale(name, processor)
        declared = Resampling(processor.resample)
        if processor.do_normalize:
            mean, std = tuple(processor.image_mean), tuple(processor.image_std)
    side = overrides.get("size", geometry.side)
    if "size" in overrides or "resize" in overrides:
        geometry = Geometry(overrides.get("resize", geometry.resize), side, side)
    prepare = _prepare(name, geometry, overrides.get("interpolation"), declared)
    return Picture(
        prepare,
        side,
        tuple(overrides.get("mean", mean)),
        tuple(overrides.get("std", std)),
    )


def _prepare(
    name: str, geometry: Geometry, interpolation: str | None, declared: Resampling
) -> Prepare:
    if interpolation != WITHOUT_ANTIALIAS:
        return shaped(geometry, FILTERS.get(interpolation or "", declared))
    if geometry.resize != "exact" or geometry.size != geometry.side:
        raise ConfigError(
            "Expected a model that stretches images to its square for"
            f" interpolation={interpolation!r}, got {name} "
            f'with resize={geometry.resize!r}. Add resize = "exact", or choose another'
            " interpolation."
        )
    return stretch_without_antialias(geometry.side)


def _require_unit_scale(name: str, processor: Any) -> None:
    """Pixels are put on the 0..1 scale here; a processor that declares another one
    would be disobeyed.
    """
    factor = getattr(processor, "rescale_factor", None)
    shifts = bool(getattr(processor, "rescale_offset", False))
    if (
        not processor.do_rescale
        or shifts
        or factor is None
        or abs(factor * 255 - 1) > 1e-6
    ):
        raise ModelError(
            f"Expected an image processor of {name} that rescales to 0..1"
            f" (rescale_factor=1/255, no offset), got {type(processor).__name__} with"
            f" do_rescale={processor.do_rescale}, rescale_factor={factor},"
            f" rescale_offset={shifts}. Register a loader of your own, or plain"
            " callables."
        )


def geometry_of(name: str, processor: Any) -> Geometry:
    """The processor's declared resize and crop; `ModelError` unless they lead to one
    fixed square.
    """
    size = dict(getattr(processor, "size", None) or {})
    crop = (
        dict(processor.crop_size or {})
        if getattr(processor, "do_center_crop", None)
        else {}
    )
    side, exact = crop.get("height"), size.get("height")
    if (
        not processor.do_resize
        or getattr(processor, "do_pad", None)
        or crop.get("width") != side
    ):
        raise _no_square(name, processor)
    if size.get("shortest_edge") and side and not size.get("longest_edge"):
        return Geometry("shortest", size["shortest_edge"], side)
    if exact and exact == size.get("width"):
        return Geometry("exact", exact, side or exact)
    raise _no_square(name, processor)


def _no_square(name: str, processor: Any) -> ModelError:
    most = getattr(processor, "max_num_patches", None)
    patches = (
        ""
        if most is None
        else f", max_num_patches={most} (its resolution varies with the image)"
    )
    return ModelError(
        f"Expected an image processor of {name} that resizes to a fixed square, got"
        f" {type(processor).__name__} with do_resize={processor.do_resize},"
        f" size={getattr(processor, 'size', None)},"
        f" crop_size={getattr(processor, 'crop_size', None)}{patches}. Use a checkpoint"
        " with a fixed square input, or register a loader of your own."
    )


def cleaning_of(config: Any, tokenizer: Any) -> str | None:
    """What open_clip does to the texts of the same weights, by its name for it; None
    where nothing is done here.

    SigLIP was trained on canonical texts: lower case, no punctuation. transformers does
    that for SigLIP 1 in its tokenizer, and for a SigLIP 2 of fixed size nowhere: its
    model is called `siglip` and its tokenizer is Gemma's. MetaCLIP 2 with the words of
    mT5 is the same in open_clip, and with those of XLM-V its white space alone is
    cleaned. A tokenizer that says `do_lower_case: false` is left to itself.
    """
    kind, words = str(config.model_type), type(tokenizer).__name__
    if (
        kind == "siglip"
        and getattr(tokenizer, "init_kwargs", {}).get("do_lower_case") is not False
    ):
        return "canonicalize"
    if kind == "metaclip_2":
        return "canonicalize" if "T5" in words else "whitespace"
    return "basic" if words.startswith("CLIPTokenizer") else None


def _cleaner(cleaning: str | None) -> Callable[[str], str]:
    if cleaning is None:
        return str
    from open_clip.tokenizer import basic_clean, get_clean_fn

    # OpenAI's code makes `&` of `&amp;`; transformers' tokenizer does all but that.
    clean: Callable[[str], str] = (
        basic_clean if cleaning == "basic" else get_clean_fn(cleaning)
    )
    return clean


class TransformersEncoder:
    """A transformers dual encoder: geometry by its own image processor, normalisation
    and encoding on the device.
    """

    def __init__(
        self,
        name: str,
        model: Any,
        picture: Picture,
        tokenizer: Any,
        request: LoadRequest,
        card: ModelCard,
    ) -> None:
        if not (
            hasattr(model, "get_image_features") and hasattr(model, "get_text_features")
        ):
            raise ModelError(
                "Expected a dual encoder with get_image_features and"
                f" get_text_features, got {type(model).__name__} for {name}. Pass a"
                " CLIP-like checkpoint."
            )
        self.name, self.device, self.precision = name, request.device, request.precision
        self._picture = picture
        self._model = model.to(request.device).eval()
        self._dtype = torch_dtype(request.precision)
        self._tokenizer = tokenizer
        self._context = min(card.context_length or 0, int(tokenizer.model_max_length))
        cleaning = cleaning_of(model.config, tokenizer)
        self._clean = _cleaner(cleaning)
        self._mean, self._std = (
            torch.tensor(constants, device=request.device).reshape(1, 3, 1, 1)
            for constants in (self._picture.mean, self._picture.std)
        )
        settings = [
            card.inputs_sha256,
            cleaning,
            self._context,
            picture.side,
            picture.mean,
            picture.std,
        ]
        self.card = replace(
            card,
            input_size=picture.side,
            text_cleaning=cleaning,
            inputs_sha256=inputs_digest([], settings, vocabulary_of(tokenizer)),
            token_ids_sha256=attempt(
                self._ids_digest, partial(failing_tokenizer, name)
            ),
        )
        self._require_one_space()

    def __repr__(self) -> str:
        return described_encoder(self)

    def _ids_digest(self) -> str:
        return token_ids_digest(lambda texts: self.tokens(texts)["input_ids"].tolist())

    def _require_one_space(self) -> None:
        """Many models of the library say only when they are given an image or a text
        that they cannot take it.
        """
        side = self._picture.side
        pixels = torch.zeros(1, 3, side, side, device=self.device)

        def explain(what: str, error: BaseException) -> ModelError:
            return ModelError(
                f"Expected a model of {self.name} that embeds {what}, got"
                f" {type(self._model).__name__}, which failed: {described(error)}. Pass"
                " a CLIP-like checkpoint with a fixed square input; if preprocessing"
                " sets size, leave it out."
            )

        image = attempt(
            lambda: self.encode_images(pixels),
            partial(explain, f"images of preprocessing.size={side}"),
        )
        text = attempt(lambda: self.encode_reports(["one"]), partial(explain, "texts"))
        if image.ndim != 2 or image.shape != text.shape:
            raise ModelError(
                f"Expected a model of {self.name} that embeds an image and a text as"
                f" one row each, of one width, got {type(self._model).__name__} with"
                f" shapes {tuple(image.shape)} and {tuple(text.shape)}. Pass a"
                " CLIP-like checkpoint, or encoder_from_callables."
            )

    def prepare(self, image: Image) -> Prepared:
        """Resize and crop as the checkpoint's image processor declares, kept at 8 bits."""
        return self._picture.prepare(image)

    def normalise(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) on the 0..1 scale -> what the network is given, float32."""
        return (pixels - self._mean) / self._std

    def tokens(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """What the text tower is given, on the CPU."""
        tokens = self._tokenizer(
            [self._clean(text) for text in texts],
            padding="max_length" if self._is_siglip else "longest",
            truncation=True,
            max_length=self._context,
            return_tensors="pt",
        )
        wanted = (
            ("input_ids",)
            if self._is_siglip
            else ("input_ids", "attention_mask", "token_type_ids")
        )
        return {key: tokens[key] for key in wanted if key in tokens}

    @torch.inference_mode()
    def encode_images(self, pixels: Tensor) -> Tensor:
        normalised = self.normalise(pixels).to(self._dtype)
        return unit_rows(
            self._pooled(self._model.get_image_features(pixel_values=normalised))
        )

    @torch.inference_mode()
    def encode_reports(self, texts: Sequence[str]) -> Tensor:
        inputs = {key: ids.to(self.device) for key, ids in self.tokens(texts).items()}
        return unit_rows(self._pooled(self._model.get_text_features(**inputs)))

    def truncated(self, texts: Sequence[str]) -> int:
        """How many texts are longer than the context, special tokens counted."""
        cleaned = [self._clean(text) for text in texts]
        ids = self._tokenizer(cleaned, truncation=False, verbose=False)["input_ids"]
        return sum(len(row) > self._context for row in ids)

    @property
    def _is_siglip(self) -> bool:
        # SigLIP was trained on padded texts without an attention mask: padding is part
        # of its input.
        return str(self._model.config.model_type).startswith("siglip")

    def _pooled(self, features: Any) -> Tensor:
        """transformers 5 gives an output object where version 4 gave the tensor; FLAVA
        projects every token.
        """
        tensor = features if isinstance(features, Tensor) else features.pooler_output
        assert isinstance(tensor, Tensor)
        return (
            tensor[:, 0]
            if tensor.ndim == 3 and self._model.config.model_type == "flava"
            else tensor
        )
