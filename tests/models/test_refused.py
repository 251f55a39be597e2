"""Checkpoints that cannot be loaded as they are: one sentence of our own, with the
advice that fits its cause.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoModel, FlavaConfig, FlavaImageProcessor, FlavaModel

from pytest_retrieval_robust import load_model
from pytest_retrieval_robust.core.errors import (
    ConfigError,
    ModelError,
    NotOnThisMachineError,
    RobustError,
    UnknownNameError,
)
from pytest_retrieval_robust.models import (
    DualEncoder,
    LoadRequest,
    ModelCard,
    ModelEntry,
    load_entry,
)
from pytest_retrieval_robust.models.own_checkpoint import own_entry

from .checkpoints import (
    TEXTS,
    put_into_hub_cache,
    save_biomedclip,
    save_clip,
    save_open_clip,
    save_siglip,
    tokenizer,
)

CANARY = "CANFOLDER-patient-doe"
IMAGE = Image.fromarray(
    np.random.default_rng(0).integers(0, 255, (48, 40), dtype=np.uint8)
)


def load(folder: Path, **options: Any) -> DualEncoder:
    return load_model(f"local-dir:{folder}", device="cpu", **options)


def images(model: DualEncoder) -> torch.Tensor:
    return model.encode_images(
        torch.from_numpy(model.prepare(IMAGE).pixels)[None] / 255
    )


def refused(read: Callable[[], object], kind: type[RobustError] = ModelError) -> str:
    """The message of the refusal, which must be a sentence of ours with no foreign
    error behind it.
    """
    with pytest.raises(kind) as caught:
        read()
    message = str(caught.value)
    assert message.startswith("Expected ")
    assert message.endswith(".")
    assert CANARY not in message
    assert "huggingface.co" not in message
    assert "weights_only=False" not in message
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return message


def reweighted(
    folder: Path, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]
) -> Path:
    file = next(folder.glob("*.safetensors"))
    save_file(change(load_file(file)), file, metadata={"format": "pt"})
    return folder


def without(folder: Path, keys: set[str]) -> Path:
    return reweighted(
        folder,
        lambda held: {key: weight for key, weight in held.items() if key not in keys},
    )


DAMAGES: dict[str, Callable[[Path], object]] = {
    "weights cut": lambda folder: _cut(folder / "model.safetensors"),
    "weights empty": lambda folder: (folder / "model.safetensors").write_bytes(b""),
    "header of terabytes": (
        lambda folder: (folder / "model.safetensors").write_bytes(
            struct.pack("<Q", 1 << 42)
        )
    ),
    "tensor of terabytes": lambda folder: _declare_terabytes(
        folder / "model.safetensors"
    ),
    "weights gone": lambda folder: _remove(folder, "model.safetensors"),
    "pickled payload": lambda folder: _payload(folder),
    "config no JSON": lambda folder: (folder / "config.json").write_text("{"),
    "config a list": lambda folder: (folder / "config.json").write_text("[]"),
    "config of an unknown type": (
        lambda folder: (folder / "config.json").write_text('{"model_type": "no-such"}')
    ),
    "config without a type": lambda folder: (folder / "config.json").write_text("{}"),
    "config of words": lambda folder: _set(
        folder / "config.json", text_config={"vocab_size": "many"}
    ),
    "processor no JSON": (
        lambda folder: (folder / "preprocessor_config.json").write_text("{")
    ),
    "processor of an unknown type": lambda folder: _set(
        folder / "preprocessor_config.json", image_processor_type="NoSuchProcessor"
    ),
    "tokenizer no JSON": lambda folder: (folder / "tokenizer.json").write_text("{"),
    "tokenizer of words": (
        lambda folder: (folder / "tokenizer.json").write_text(
            '{"model": {"type": "none"}}'
        )
    ),
    "tokenizer gone": lambda folder: _remove(folder, "*token*"),
    "tokenizer without padding": lambda folder: _remove(
        folder, "tokenizer_config.json"
    ),
    "index out of the folder": (
        lambda folder: (folder / "model.safetensors.index.json").write_text(
            json.dumps({"weight_map": {"a": "../../dev/zero"}})
        )
    ),
}


def _remove(folder: Path, pattern: str) -> None:
    for file in folder.glob(pattern):
        file.unlink()


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def _set(file: Path, **values: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def _declare_terabytes(file: Path) -> None:
    header = json.dumps(
        {
            "logit_scale": {
                "dtype": "F32",
                "shape": [1 << 40],
                "data_offsets": [0, 1 << 42],
            }
        }
    ).encode()
    file.write_bytes(struct.pack("<Q", len(header)) + header)


class Payload:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, ("touch ran",))


def _payload(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"logit_scale": Payload()}))


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("save", [save_clip, save_siglip])
def test_a_damaged_folder_is_refused_in_a_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    save: Callable[[Path], Path],
    damage: Callable[[Path], object],
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = save(tmp_path / CANARY / "model")
    damage(folder)
    refused(lambda: load(folder))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "member", ["open_clip_model.safetensors", "open_clip_config.json"]
)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"model_cfg": {"embed_dim": "x"}}',
        struct.pack("<Q", 1 << 42),
    ],
)
def test_a_damaged_open_clip_folder_is_refused_in_a_sentence(
    tmp_path: Path, member: str, content: bytes
) -> None:
    folder = save_open_clip(tmp_path / CANARY / "model")
    (folder / member).write_bytes(content)
    refused(lambda: load(folder))


def test_a_payload_in_place_of_weights_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _payload(save_clip(tmp_path / "model"))
    assert "a pickle that asks for" in refused(lambda: load(tmp_path / "model"))


MEMBERS = (
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "preprocessor_config.json",
)


@pytest.mark.parametrize(
    "member", [*MEMBERS, "README.md", "special_tokens_map.json", "chat_template.jinja"]
)
@pytest.mark.parametrize("kind", ["fifo", "device"])
def test_a_member_that_never_ends_is_refused(
    tmp_path: Path, member: str, kind: str
) -> None:
    folder = save_clip(tmp_path / CANARY / "model")
    (folder / member).unlink(missing_ok=True)
    if kind == "fifo":
        os.mkfifo(folder / member)
    else:
        (folder / member).symlink_to("/dev/zero")
    if member == "config.json":
        with pytest.raises(NotOnThisMachineError, match="without one"):
            load(folder)
    else:
        assert f"got {member}, which is a FIFO, a device" in refused(
            lambda: load(folder)
        )


def test_a_tokenizers_folder_that_never_ends_is_refused(tmp_path: Path) -> None:
    words = tmp_path / "words"
    words.mkdir()
    os.mkfifo(words / "tokenizer_config.json")
    model, other = save_siglip(tmp_path / "model"), save_biomedclip(tmp_path / "open")
    refused(
        lambda: load_model("medsiglip", checkpoint=model, tokenizer=words, device="cpu")
    )
    refused(
        lambda: load_model(
            "biomedclip", checkpoint=other, tokenizer=words, device="cpu"
        )
    )


@pytest.mark.parametrize("name", ["weights.pt", "zero"])
def test_a_checkpoint_file_that_never_ends_is_refused(
    tmp_path: Path, name: str
) -> None:
    os.mkfifo(tmp_path / "weights.pt")
    place = Path("/dev/zero") if name == "zero" else tmp_path / name
    message = refused(lambda: load_model("cxr-repair", checkpoint=place, device="cpu"))
    assert f"got checkpoint='{name}', which is a FIFO, a device" in message


# Folders as a trainer leaves them


def test_without_a_processor_the_table_stands_for_it(tmp_path: Path) -> None:
    whole = load(save_clip(tmp_path / "whole"))
    (save_clip(tmp_path / "trained") / "preprocessor_config.json").unlink()
    clip = {
        "mean": [0.48145466, 0.4578275, 0.40821073],
        "std": [0.26862954, 0.26130258, 0.27577711],
    }
    said = {"size": 32, "resize": "shortest", **clip}
    entry = own_entry(
        "mine", None, str(tmp_path / "trained"), None, {"preprocessing": said}, []
    )
    for model in (
        load(tmp_path / "trained", preprocessing=said),
        entry.load(LoadRequest()),
        load_model(
            "medsiglip",
            checkpoint=tmp_path / "trained",
            preprocessing=said,
            device="cpu",
        ),
    ):
        assert torch.equal(images(model), images(whole))


@pytest.mark.parametrize("left_out", ["size", "resize", "mean", "std"])
def test_without_a_processor_the_advice_is_to_save_it_or_to_say_it(
    tmp_path: Path, left_out: str
) -> None:
    folder = save_clip(tmp_path / CANARY / "trained")
    (folder / "preprocessor_config.json").unlink()
    said = {"size": 32, "resize": "exact", "mean": [0.5] * 3, "std": [0.5] * 3}
    del said[left_out]
    message = refused(lambda: load(folder, preprocessing=said))
    assert f"got none, and no {left_out} in preprocessing" in message
    assert "processor.save_pretrained(FOLDER)" in message
    assert "sha256" not in message


def test_a_temperature_is_not_needed(tmp_path: Path) -> None:
    for save, keys in (
        (save_clip, {"logit_scale"}),
        (save_siglip, {"logit_scale", "logit_bias"}),
    ):
        whole = load(save(tmp_path / save.__name__))
        texts = whole.encode_reports(TEXTS)
        without(tmp_path / save.__name__, keys)
        model = load(tmp_path / save.__name__)
        assert set(model.card.missing_keys) == keys
        assert torch.equal(model.encode_reports(TEXTS), texts)
    folder = without(save_open_clip(tmp_path / "open"), {"logit_scale"})
    assert load(folder).card.missing_keys == ("logit_scale",)
    assert load(folder).encode_reports(TEXTS).shape == (4, 8)


@pytest.mark.parametrize(
    "prefix",
    ["module.", "model.", "_orig_mod.", "module.model.", "_orig_mod.model._orig_mod."],
)
@pytest.mark.parametrize("save", [save_clip, save_siglip, save_open_clip])
def test_a_prefix_of_all_keys_is_taken_off(
    tmp_path: Path, save: Callable[[Path], Path], prefix: str
) -> None:
    whole = load(save(tmp_path / "whole"))
    folder = reweighted(
        save(tmp_path / "prefixed"),
        lambda held: {f"{prefix}{k}": v for k, v in held.items()},
    )
    model = load(folder)
    assert torch.allclose(
        model.encode_reports(TEXTS), whole.encode_reports(TEXTS), atol=1e-6
    )
    assert torch.allclose(images(model), images(whole), atol=1e-6)
    assert (model.card.missing_keys, model.card.unexpected_keys) == ((), ())
    assert model.card.key_prefix == (prefix.replace("_orig_mod.", "") or None)


@pytest.mark.parametrize("save", [save_clip, save_open_clip])
def test_a_part_that_was_compiled_alone_is_found(
    tmp_path: Path, save: Callable[[Path], Path]
) -> None:
    def compile_towers(held: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        parts = ("vision_model.", "text_model.", "visual.", "transformer.resblocks.")
        return {_wrapped(key, parts): weight for key, weight in held.items()}

    model = load(reweighted(save(tmp_path / "compiled"), compile_towers))
    assert torch.allclose(
        model.encode_reports(TEXTS),
        load(save(tmp_path / "whole")).encode_reports(TEXTS),
        atol=1e-6,
    )


def _wrapped(key: str, parts: tuple[str, ...]) -> str:
    part = next((part for part in parts if key.startswith(part)), "")
    return f"{part}_orig_mod.{key.removeprefix(part)}" if part else key


@pytest.mark.parametrize("save", [save_clip, save_open_clip])
def test_two_sets_of_weights_are_not_chosen_from(
    tmp_path: Path, save: Callable[[Path], Path]
) -> None:
    folder = reweighted(
        save(tmp_path),
        lambda held: {
            f"{p}.{k}": v.clone() for p in ("model", "ema") for k, v in held.items()
        },
    )
    assert "under 'ema.' and 'model.'" in refused(lambda: load(folder))


def test_weights_of_another_size_are_named(tmp_path: Path) -> None:
    _set(save_clip(tmp_path) / "config.json", projection_dim=16)
    assert "projection.weight of shape (16, 16) for local-dir-" in refused(
        lambda: load(tmp_path)
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("save", [save_clip, save_siglip, save_open_clip])
def test_a_weight_that_is_no_number_is_named(
    tmp_path: Path, save: Callable[[Path], Path], value: float
) -> None:
    def spoil(held: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        key = next(key for key in sorted(held) if held[key].ndim == 2)
        held[key][0, 0] = value
        spoilt.append(key)
        return held

    spoilt: list[str] = []
    folder = reweighted(save(tmp_path), spoil)
    assert f"values of {spoilt[0]} that are NaN or infinite" in refused(
        lambda: load(folder)
    )


@pytest.mark.parametrize(
    ("weight", "said"),
    [
        (torch.zeros(3, dtype=torch.complex64), "dtype=torch.complex64"),
        (torch.zeros(3, dtype=torch.int64), "dtype=torch.int64"),
        (torch.zeros(3).to_sparse(), "layout=torch.sparse_coo"),
        (torch.zeros(3, device="meta"), "a tensor without values"),
    ],
)
def test_weights_of_another_kind_are_refused(weight: torch.Tensor, said: str) -> None:
    from pytest_retrieval_robust.models._files.weights_file import WeightsFile
    from pytest_retrieval_robust.models._formats.building import fill

    network = torch.nn.LayerNorm(3)
    tensors = {"weight": weight, "bias": torch.zeros(3)}
    message = refused(
        lambda: fill("a model", network, tensors, WeightsFile(tensors, "", False), "x")
    )
    assert said in message


def test_a_device_without_room_is_no_fault_of_the_loader() -> None:
    def full(_: LoadRequest) -> DualEncoder:
        raise RuntimeError("CUDA error: out of memory")

    message = refused(
        lambda: load_entry(ModelEntry("ours", "", full), LoadRequest(device="cuda:1"))
    )
    assert message.startswith("Expected room for ours on cuda:1, got RuntimeError")


def test_a_repository_without_an_image_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save_clip(tmp_path / "mine")
    (folder / "preprocessor_config.json").unlink()
    put_into_hub_cache(folder, tmp_path / "cache", "someone/clip-small")
    monkeypatch.setattr(
        "huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache")
    )
    monkeypatch.setattr(
        "transformers.utils.hub.constants.HF_HUB_CACHE", str(tmp_path / "cache")
    )

    def read(may_download: bool, **said: Any) -> DualEncoder:
        return load_model(
            "hf:someone/clip-small", device="cpu", download=may_download, **said
        )

    message = refused(lambda: read(False), NotOnThisMachineError)
    assert "the image processor of hf-someone-clip-small" in message
    assert "`hf download someone/clip-small`" in message
    assert "Expected preprocessor_config.json" in refused(
        lambda: read(True)
    )  # the hub was asked, and has none
    said = {"size": 32, "resize": "exact", "mean": [0.5] * 3, "std": [0.5] * 3}
    assert images(read(True, preprocessing=said)).shape == (1, 8)


# What is no dual encoder of a fixed square


def test_naflex_is_refused_at_load(tmp_path: Path) -> None:
    from transformers import Siglip2Config, Siglip2Model

    small = {
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }
    words = tokenizer()
    text, vision = (
        {**small, "vocab_size": len(words), "max_position_embeddings": 8},
        {**small, "num_patches": 16},
    )
    Siglip2Model(Siglip2Config(text_config=text, vision_config=vision)).save_pretrained(
        save_siglip(tmp_path)
    )
    assert "(NaFlex), whose resolution varies" in refused(lambda: load(tmp_path))


def test_blip_2_is_refused_at_load(tmp_path: Path) -> None:
    _set(save_clip(tmp_path) / "config.json", model_type="blip-2")
    assert (
        "got model_type='blip-2', which embeds texts through a language model"
        in refused(lambda: load(tmp_path))
    )


def test_a_model_that_fails_on_an_image_is_refused_at_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> object:
        raise SystemExit(CANARY)

    folder = save_clip(tmp_path)
    monkeypatch.setattr("transformers.CLIPModel.get_image_features", broken)
    assert "got CLIPModel, which failed: SystemExit" in refused(lambda: load(folder))


def test_rows_of_tokens_are_refused_at_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "transformers.CLIPModel.get_text_features",
        lambda *_, **__: torch.zeros(1, 5, 8),
    )
    assert "one row each, of one width" in refused(lambda: load(save_clip(tmp_path)))


def test_flavas_rows_are_those_of_its_class_token(tmp_path: Path) -> None:
    torch.manual_seed(0)
    words = tokenizer()
    small = {
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }
    config = FlavaConfig(
        text_config={**small, "vocab_size": len(words), "max_position_embeddings": 8},
        image_config={**small, "image_size": 32, "patch_size": 8},
        multimodal_config=small,
        image_codebook_config={"num_groups": 1},
        hidden_size=16,
        projection_dim=8,
    )
    FlavaModel(config).eval().save_pretrained(tmp_path)
    size: Any = {"height": 32, "width": 32}
    FlavaImageProcessor(
        size=size, crop_size=size, do_center_crop=False
    ).save_pretrained(tmp_path)
    words.save_pretrained(tmp_path)
    model, reference = load(tmp_path), AutoModel.from_pretrained(tmp_path).eval()
    ids = torch.tensor([words("heart is large")["input_ids"]])
    with torch.no_grad():
        states = reference.text_model(input_ids=ids).last_hidden_state
        row = torch.nn.functional.normalize(
            reference.text_projection(states[:, 0]), dim=-1
        )
    assert torch.allclose(model.encode_reports(["heart is large"]), row, atol=1e-5)
    assert images(model).shape == (1, 8)


# Names and paths


def test_a_path_in_place_of_a_name_is_told_how_to_be_written(tmp_path: Path) -> None:
    for typed in (
        "../models/hfclip",
        "models/rn50.pt",
        str(tmp_path / CANARY / "clip"),
        "clip.safetensors",
        "a\\b",
    ):
        with pytest.raises(
            UnknownNameError,
            match="Write hf:ORG/NAME .* local-dir:FOLDER .* as checkpoint",
        ) as caught:
            load_model(typed)
        assert CANARY not in str(caught.value)
    with pytest.raises(UnknownNameError, match="Did you mean 'medclip"):
        load_model("medclp")


def test_a_file_in_place_of_a_folder_is_told_where_it_belongs(tmp_path: Path) -> None:
    (tmp_path / CANARY).mkdir()
    file = tmp_path / CANARY / "rn50.pt"
    file.write_bytes(b"x")
    with pytest.raises(
        NotOnThisMachineError,
        match=r"got 'local-dir:rn50.pt', which is a file; name it as checkpoint",
    ):
        load(file)


def test_paths_in_messages_are_normalised(tmp_path: Path) -> None:
    folder = save_clip(tmp_path / CANARY / "model")
    crooked = folder.parent / "gate" / ".." / "model"
    (folder.parent / "gate").mkdir()
    (folder / "config.json").write_text("{")
    assert ".." not in refused(lambda: load(crooked)).replace("...", "")
    with pytest.raises(NotOnThisMachineError, match="got checkpoint='none.pt'"):
        load_model("cxr-repair", checkpoint=folder / ".." / "none.pt", device="cpu")


def named(name: str, **others: Any) -> ModelEntry:
    class Other:
        card = ModelCard("own")
        device = "cpu"
        prepare = encode_images = encode_reports = staticmethod(lambda *_: None)

    model = Other()
    for key, value in {"name": name, **others}.items():
        setattr(model, key, value)
    return ModelEntry("ours", "", lambda _: model)  # type: ignore[arg-type, return-value]  # on purpose


def test_a_model_answers_to_its_entrys_name() -> None:
    assert load_entry(named("ours"), LoadRequest()).name == "ours"
    message = refused(lambda: load_entry(named("theirs"), LoadRequest()))
    assert "the entry 'ours' to have that name, got name='theirs'" in message


@pytest.mark.parametrize(
    ("load_", "said"),
    [
        (lambda _: None, "got a NoneType without name, card"),
        (lambda: None, "got TypeError"),
        (
            lambda _: (_ for _ in ()).throw(ValueError(CANARY)),
            "got ValueError at .*test_refused.py",
        ),
        (lambda _: (_ for _ in ()).throw(SystemExit(CANARY)), "got SystemExit"),
        (named("ours", card={"source": "x"}).load, "to be a ModelCard, got a dict"),
    ],
)
def test_what_a_loader_of_ones_own_may_do(load_: Any, said: str) -> None:
    import re

    assert re.search(
        said, refused(lambda: load_entry(ModelEntry("ours", "", load_), LoadRequest()))
    )


def test_a_wrong_name_in_a_conftest_is_one_sentence(
    pytester: pytest.Pytester, run_suite: Any
) -> None:
    pytester.makeconftest("""
        from pytest_retrieval_robust import encoder_from_callables
        from pytest_retrieval_robust.models import ModelEntry

        def pytest_robust_register(catalogues):
            make = lambda request: encoder_from_callables("theirs", list, list)
            catalogues.models.add(ModelEntry("ours", "", make))
        """)
    result = run_suite("--robust-models=ours")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.re_match_lines(
        [
            ".*Expected the model of the entry 'ours' to have that name, got"
            " name='theirs'"
        ]
    )
    assert "KeyError" not in result.stdout.str()


# Records, reprs, and open_clip's twins


def test_libraries_log_nothing_while_a_model_is_loaded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folders = save_open_clip(tmp_path / "open"), save_clip(tmp_path / "clip")
    caplog.set_level(logging.DEBUG)
    for folder in folders:
        load(folder)
    assert not [record for record in caplog.records if "open_clip" in record.pathname]
    assert not [
        record for record in caplog.records if record.name.startswith("transformers")
    ]


def test_a_load_leaves_the_root_logger_as_it_was(tmp_path: Path) -> None:
    root = logging.getLogger()
    before = [*root.handlers], [*root.filters], root.level
    load(save_open_clip(tmp_path))
    assert ([*root.handlers], [*root.filters], root.level) == before


def test_reprs_are_one_neutral_line(tmp_path: Path) -> None:
    from pytest_retrieval_robust import encoder_from_callables

    folder = save_clip(tmp_path / CANARY / "clip")
    assert repr(load(folder)) == "<TransformersEncoder local-dir-clip on cpu, fp32>"
    half = load_model(
        f"local-dir:{save_open_clip(tmp_path / CANARY / 'open')}",
        device="cpu",
        precision="bf16",
    )
    assert repr(half) == "<OpenClipEncoder local-dir-open on cpu, bf16>"
    ours: Any = encoder_from_callables("ours", len, len)
    assert repr(ours) == "<CallableEncoder ours on cpu>"
    assert CANARY not in repr(
        LoadRequest(checkpoint=folder, tokenizer=str(folder), cache_dir=folder)
    )


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_a_model_knows_its_precision(tmp_path: Path, precision: Any) -> None:
    for save in (save_clip, save_open_clip):
        model = load_model(
            f"local-dir:{save(tmp_path / save.__name__)}",
            device="cpu",
            precision=precision,
        )
        assert getattr(model, "precision") == precision  # noqa: B009 - not in the protocol


def test_the_twin_with_another_activation_is_noticed(tmp_path: Path) -> None:
    import open_clip

    torch.manual_seed(0)
    state = open_clip.create_model("RN50", pretrained=None).state_dict()
    file = tmp_path / "epoch_1.pt"

    def own(architecture: str, run: str | None) -> DualEncoder:
        torch.save({"name": run, "state_dict": state} if run else state, file)
        return own_entry(
            "mine", "open_clip", str(file), None, {"architecture": architecture}, []
        ).load(LoadRequest())

    assert own("RN50", None).card.activation == "gelu"
    assert own("RN50-quickgelu", None).card.activation == "quickgelu"
    assert own("RN50", "2026_01_01-model_RN50-lr_0.0005-b_64").card.activation == "gelu"
    message = refused(
        lambda: own("RN50", "2026_01_01-model_RN50-quickgelu-lr_0.0005-b_64")
    )
    assert 'Set architecture = "RN50-quickgelu"' in message
    assert 'Set architecture = "RN50"' in refused(
        lambda: own("RN50-quickgelu", "x-model_RN50-lr_1")
    )


def test_an_option_that_a_locator_does_not_have() -> None:
    with pytest.raises(
        ConfigError, match="Expected a known option of .*context_length"
    ):
        load_model("hf:someone/clip", context_length=7)
