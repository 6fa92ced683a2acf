"""Sessions that last: compiled programs are dropped before there are too many, and nothing else piles up."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from toys import Powers

import meanfield as mf
from meanfield import _memory
from meanfield._memory import drop_programs

SPHERE = mf.geometry.Sphere(3)
FLOW = mf.dynamics.AttentionFlow(SPHERE, mf.attention.Softmax(2.0))
LAYERS = mf.schemes.TransformerLayers(3, FLOW.attention, mf.dynamics.PostNorm(), 0.1)


def run(x0):
    """A run that keeps a history."""
    return mf.simulate(FLOW, x0, jnp.linspace(0.0, 0.1, 401), observe={"x": unchanged})


def unchanged(x):
    return x


@pytest.fixture
def crowded(monkeypatch) -> list:
    """As after too many programs; each time that they are dropped is written down."""
    drops = []
    monkeypatch.setattr(_memory, "_SHARE", 0.0)
    monkeypatch.setattr(_memory, "_compiled", 16)
    monkeypatch.setattr(jax, "clear_caches", lambda: drops.append(1))
    return drops


def test_programs_are_counted_and_dropped_once_they_are_too_many(crowded, monkeypatch):
    assert drop_programs()
    assert not drop_programs()  # until as many are compiled again
    jax.jit(lambda x: jnp.sin(x * 1.2345678))(jnp.ones(3))
    assert _memory._compiled >= 1
    monkeypatch.setattr(_memory, "_compiled", 16)
    monkeypatch.setattr(_memory, "_SHARE", 1.0)
    assert not drop_programs()
    assert len(crowded) == 1


def test_nothing_is_dropped_in_the_middle_of_a_trace(crowded):
    dropped = []
    jax.jit(lambda x: (dropped.append(drop_programs()), x)[1])(jnp.ones(3))
    assert dropped == [False]
    assert not crowded


@pytest.mark.parametrize(
    "use",
    [
        lambda: run(SPHERE.sample(jax.random.key(0), 64)),
        pytest.param(lambda: mf.rollout(LAYERS, jnp.eye(3), 1), marks=pytest.mark.slow),
        pytest.param(lambda: Powers(bases=(2.0,), exponents=(1,)).run(), marks=pytest.mark.slow),
    ],
    ids=["simulate", "rollout", "a cell of a study"],
)
def test_the_doors_drop_programs(crowded, use):
    use()
    assert crowded


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs the memory of the process")
def test_memory_is_flat_over_many_runs_of_one_shape():
    """A run that kept its history of 616 kB would add 46 MB; allocators breathe by less than 20."""
    x0 = SPHERE.sample(jax.random.key(0), 64)

    def runs(count: int) -> float:
        for _ in range(count):
            run(x0).final.block_until_ready()
        return (
            int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
        )

    before = runs(25)
    assert runs(75) - before < 20


@pytest.mark.slow
def test_a_session_of_400_shapes_survives():
    """Without dropping programs XLA dies near shape 270, beyond the maps that Linux allows."""
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}  # as users compile
    script = [sys.executable, str(Path(__file__).with_name("shapes.py")), "400"]
    done = subprocess.run(script, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    maps, drops = map(int, done.stdout.split())
    assert maps < 50_000
    assert drops > 0 or not maps
