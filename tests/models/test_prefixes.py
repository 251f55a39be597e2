"""Prefixes that training code puts before every key of a checkpoint."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.errors import ModelError
from pytest_retrieval_robust.models._prefixes import without_prefix

OWN = ("visual.conv.weight", "visual.conv.bias", "text.table.weight", "text.head.weight", "logit_scale")
PARTS = st.lists(st.from_regex(r"[a-z_]{1,8}", fullmatch=True).filter(lambda part: part not in {"text", "visual"}))


@given(PARTS)
def test_any_prefix_of_all_keys_is_taken_off_and_told(parts: list[str]) -> None:
    prefix = "".join(f"{part}." for part in parts)
    tensors, found = without_prefix("a model", {f"{prefix}{key}": key for key in OWN}, OWN)
    assert tensors == {key: key for key in OWN}
    assert found.endswith(prefix.rpartition("_orig_mod.")[2])


@pytest.mark.parametrize("written", ["_orig_mod.{}", "module._orig_mod.{}", "model._fsdp_wrapped_module.{}"])
def test_wrappers_of_torch_are_taken_off(written: str) -> None:
    assert set(without_prefix("a model", {written.format(key): 0 for key in OWN}, OWN)[0]) == set(OWN)


def test_wrappers_within_a_key_are_taken_off() -> None:
    keys = [
        key.replace("visual.", "visual._orig_mod.").replace("text.", "text._checkpoint_wrapped_module.") for key in OWN
    ]
    assert set(without_prefix("a model", dict.fromkeys(keys, 0), OWN)[0]) == set(OWN)


def test_keys_beside_the_network_are_left_as_they_are() -> None:
    tensors = {**{f"model.{key}": 1 for key in OWN}, "loss.weight": 2, "model.head.extra": 3}
    stripped, prefix = without_prefix("a model", tensors, OWN)
    assert prefix == "model."
    assert stripped == {**dict.fromkeys(OWN, 1), "loss.weight": 2, "head.extra": 3}


def test_weights_beside_their_moving_average_are_refused() -> None:
    both = {f"{prefix}.{key}": 0 for prefix in ("model", "ema") for key in OWN}
    with pytest.raises(ModelError, match=r"got 2 sets of them in one file, under 'ema\.' and 'model\.'"):
        without_prefix("a model", both, OWN)


def test_unprefixed_weights_are_taken_before_a_copy_of_them() -> None:
    tensors = {**dict.fromkeys(OWN, 1), **{f"ema.{key}": 2 for key in OWN}}
    stripped, prefix = without_prefix("a model", tensors, OWN)
    assert prefix == ""
    assert {stripped[key] for key in OWN} == {1}


def test_another_networks_keys_have_no_prefix() -> None:
    tensors = {"backbone.conv.weight": 0, "model.logit_scale": 1}
    assert without_prefix("a model", tensors, OWN) == (tensors, "")
