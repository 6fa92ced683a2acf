"""A call outside of jit compiles nothing that an equal call before it has compiled."""

import catalogue
import jax
import jax.numpy as jnp
import pytest
from unit_vectors import unit_vectors

from meanfield import _memory
from meanfield.attention import (
    L2,
    Blockwise,
    Fused,
    Hardmax,
    Prefixes,
    Relu,
    Sharded,
    Softmax,
    causal,
)
from meanfield.attention.kernels import _prefixes
from meanfield.energies import Interaction, Pairwise
from meanfield.transport import point_geometry, solve

# Not called: they need packages that tests may lack, or are tried by wrong arguments alone.
APART = {
    "latents.lens",
    "surrogates.from_petab",
    "surrogates.from_sbml",
    "surrogates.Surrogate.discover",
    "surrogates.Surrogate.export",
    "surrogates.Surrogate.posterior",
}
SOME = {"measures.VonMisesFisher.sample", "observables.clusters", "transport.adapted_chains"}

X = unit_vectors(1, 300, 3)
ENERGY = Pairwise(lambda x, y: jnp.exp(-jnp.sum((x - y) ** 2)))
BLOCKS = point_geometry(X, epsilon=1.0, dense=False, block=128)
BY_BLOCKS = {
    "pairs": lambda: Relu()(X),
    "hard attention": lambda: (Hardmax()(X), Hardmax().best(X), Hardmax().leaders(X)),
    "a mask": lambda: Softmax(2.0, mask=causal(300), engine=Blockwise(128))(X),
    "prefixes": lambda: Prefixes(Softmax(2.0))(X[:5]),
    "weights of prefixes": lambda: Prefixes(Softmax(2.0)).weights(X[:5]),
    "energy": lambda: ENERGY(X),
    "mean cost": lambda: point_geometry(X, dense=False, block=128).epsilon,
    "plan": lambda: _parts(solve(BLOCKS, max_iterations=9)),
}


def _parts(plan):
    return plan.value, plan.marginals, plan.average(X)


def _compiled_again(entry, programs: list[str]) -> int:
    """Programs of the second of two equal calls."""
    jax.block_until_ready(entry.call(**entry.arguments))
    programs.clear()
    jax.block_until_ready(entry.call(**entry.arguments))
    return len(programs)


@pytest.mark.parametrize(
    "room",
    [pytest.param(room, marks=pytest.mark.slow) for room in catalogue.ROOMS if room != "viz"],
)
def test_nothing_is_compiled_twice(room, programs):
    names = [e for e in catalogue.entries([room]) if e.name not in APART]
    again = {entry.name: count for entry in names if (count := _compiled_again(entry, programs))}
    assert again == {}


def test_some_are_held_in_every_run(programs):
    some = [
        e for e in catalogue.entries(["measures", "observables", "transport"]) if e.name in SOME
    ]
    assert [(e.name, _compiled_again(e, programs)) for e in some] == [(n, 0) for n in sorted(SOME)]


@pytest.mark.parametrize("name", BY_BLOCKS)
def test_loops_over_blocks_are_compiled_once(name, programs, monkeypatch):
    monkeypatch.setattr(_memory, "LARGEST_DENSE", 8)
    monkeypatch.setattr(_prefixes, "_PAIRS", 4)
    jax.block_until_ready(BY_BLOCKS[name]())
    programs.clear()
    jax.block_until_ready(BY_BLOCKS[name]())
    assert programs == []


GRADIENTS = {
    "the matrix": Softmax(2.0),
    "blocks": Softmax(2.0, engine=Blockwise(128)),
    "blocks under a mask": Softmax(2.0, mask=causal(300), engine=Blockwise(128)),
    "a ring": Softmax(2.0, engine=Sharded(engine=Blockwise(128))),
    "a kernel": Softmax(2.0, engine=Fused()),
    "distances": L2(2.0),
    "an energy": Interaction(2.0),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_outside_of_jit_are_compiled_once(name, programs):
    gradient = jax.grad(lambda x: jnp.sum(GRADIENTS[name](x) ** 2))
    jax.block_until_ready(gradient(X))
    programs.clear()
    jax.block_until_ready(gradient(X))
    assert programs == []
