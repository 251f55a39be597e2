"""`--robust-engine`: what is refused before anything runs."""

from __future__ import annotations

import pytest

from pytest_retrieval_robust.run import typed_values

from ..conftest import Run

USAGE_ERROR = 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--robust-engine=dask"],
            "Expected local, stored or ray, got --robust-engine='dask'",
        ),
        (["--robust-ray-address=ray://head:10001"], "ray:// is not taken"),
        (["--robust-ray-actors=0"], "--robust-ray-actors='0'"),
    ],
)
def test_wrong_values_are_named(
    run_suite: Run, options: list[str], message: str
) -> None:
    run = run_suite(*options)
    assert run.ret == USAGE_ERROR
    assert message in run.stderr.str()


def test_ray_that_is_not_installed_is_named_with_its_extra(
    run_suite: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(typed_values, "find_spec", lambda name: None if name else name)
    run = run_suite("--robust-engine=ray")
    assert run.ret == USAGE_ERROR
    assert "pip install pytest-retrieval-robust[ray]" in run.stderr.str()


def test_workers_of_xdist_are_refused_beside_actors(
    run_suite: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(typed_values, "find_spec", lambda name: name)
    run = run_suite("--robust-engine=ray", "-n1")
    assert run.ret == USAGE_ERROR
    assert "leave out -n" in run.stderr.str()
