"""Every hot path lowers for CUDA and TPU, and calls no host, which a test without either can tell."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from meanfield._checks import raise_at_run_time

HERE = Path(__file__).parent
LIBRARIES = {"cusolver_potrf_ffi", "cusolver_syevd_ffi", "Eigh", "Cholesky"}
"""Calls of the device's own linear algebra: covariances, and costs of one cloud to another."""
KERNELS = {"cuda": "__gpu$xla.gpu.triton", "tpu": "tpu_custom_call"}
"""How kernels of Pallas are called."""


@pytest.mark.parametrize("which", ["some", pytest.param("all", marks=pytest.mark.slow)])
def test_programs_for_accelerators_call_no_host_and_keep_all_digits(which):
    env = {
        **os.environ,
        "PYTHONPATH": str(HERE.parent),
        "JAX_ENABLE_X64": "0",
    }
    env["JAX_NUMPY_DTYPE_PROMOTION"] = "standard"
    command = [sys.executable, "lowering.py", which]
    done = subprocess.run(command, cwd=HERE, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert set(found) == {"cuda", "tpu"} and len(found["cuda"]) >= 8
    for device, programs in found.items():
        # One kernel under the bound, or two: the largest logits, and the sums.
        assert programs.pop("fused") == {KERNELS[device]: 3, "inexact products": 0}
        known = LIBRARIES | {KERNELS[device]}
        assert {
            name: {*calls} - known for name, calls in programs.items() if {*calls} - known
        } == {}


def test_a_run_without_errors_calls_the_host_only_before_it_begins(monkeypatch):
    # Where a false value cannot raise, it is not a number: nothing looks like an answer.
    monkeypatch.setattr("equinox.error_if", lambda x, *rest, **options: x)
    guarded = jax.jit(lambda x: raise_at_run_time(x, x[0] > 0, "expected x > 0"))
    assert jnp.isnan(guarded(jnp.array([-1.0, 2.0]))).all()
    assert (guarded(jnp.array([1.0, 2.0])) == jnp.array([1.0, 2.0])).all()
