"""Runs in files: all that was left behind comes back, and nothing else is taken for a run."""

from typing import Any, cast

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from refusals import check_refused

import meanfield as mf
from meanfield.io import pack
from meanfield.solve import Merges
from meanfield.solve._saved import _DEPTH, FORMAT, _filled


def _run(**changed) -> mf.Trajectory:
    parts = {
        "ts": jnp.array([0.0, 0.5]),
        "values": {"x": jnp.ones((2, 3, 2)), "pair": (jnp.arange(2), [jnp.array([True, False])])},
        "final": (jnp.ones((3, 2)), jnp.full(3, 0.1)),
        "stats": {"steps": 7, "converged": jnp.array(True)},
        "result": diffrax.RESULTS.max_steps_reached,
        "ok": jnp.array(False),
        "reached": jnp.array(0.25),
        "merges": Merges(np.array([0.1]), np.array([0]), np.array([2]), np.array([2 / 3])),
    }
    return mf.Trajectory(**(parts | changed))


def test_all_comes_back_bit_by_bit(tmp_path):
    run = _run()
    back = mf.Trajectory.load(run.save(tmp_path / "run.nc"))
    assert jax.tree.structure(back.values) == jax.tree.structure(run.values)
    assert jax.tree.structure(back.final) == jax.tree.structure(run.final)
    for one, other in zip(jax.tree.leaves(run), jax.tree.leaves(back), strict=True):
        assert np.array_equal(np.asarray(one), np.asarray(other))
        assert np.asarray(one).dtype == np.asarray(other).dtype
    assert bool(back.result == diffrax.RESULTS.max_steps_reached)
    assert repr(back).startswith("Trajectory(failed='The run stopped early, at t = 0.25: ")
    assert mf.Trajectory.load(_run(merges=None).save(tmp_path / "other.nc")).merges is None


def test_what_is_no_tree_of_arrays_is_refused(tmp_path):
    with pytest.raises(ValueError, match="save what to_xarray"):
        _run(stats={"solver": object()}).save(tmp_path / "run.nc")
    assert not (tmp_path / "run.nc").exists()


def _attrs(**attrs):
    return xr.Dataset(attrs={"format": FORMAT, "result": "successful", "shape": "{}"} | attrs)


@pytest.mark.parametrize(
    "data",
    [
        _attrs(),
        _attrs(format="another"),
        _attrs(shape="["),
        _attrs(shape='{"ts": 5}'),
        _attrs(shape='{"ts": {"set": []}}'),
        _attrs(shape='{"ts": ' + '{"list": [' * 40 + "null" + "]}" * 40 + "}"),
        _attrs(result="__class__"),
        _attrs(shape='{"ts": null, "merges": 1}'),
    ],
)
def test_other_files_are_no_runs(tmp_path, data):
    path = tmp_path / "run.nc"
    path.write_bytes(pack(data))
    check_refused(lambda: mf.Trajectory.load(path), "expected a run that Trajectory.save wrote")


def test_damaged_and_missing_files_are_no_runs(tmp_path):
    path = _run().save(tmp_path / "run.nc")
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    for at in (path, tmp_path / "none.nc"):
        check_refused(lambda at=at: mf.Trajectory.load(at), "save it again")


def test_jit_of_an_object_says_what_to_do():
    with pytest.raises(TypeError, match=r"equinox.filter_jit"):
        jax.jit(mf.attention.Softmax(2.0))(jnp.eye(2))
    assert hash(mf.geometry.Sphere(3)) == hash(mf.geometry.Sphere(3))


def test_the_state_is_observed_by_its_name():
    state = jnp.eye(2), jnp.ones(2)
    assert mf.observables.state(state) is state


def test_a_state_of_parts_is_no_cloud():
    with pytest.raises(ValueError, match=r"pass one, state\[0\]"):
        mf.energies.Interaction(2.0)(cast(Any, (jnp.eye(2), jnp.ones(2))))


@pytest.mark.parametrize("kind", ["list", "dict"])
def test_what_is_nested_too_deep_is_refused(kind):
    data, nested = {"array_0": xr.DataArray(1.0)}, 0
    for _ in range(_DEPTH):
        nested = {kind: {"a": nested} if kind == "dict" else [nested]}
    _filled(nested, data, 0)
    with pytest.raises(ValueError, match="nested too deep"):
        _filled(nested, data, 1)
