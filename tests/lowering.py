"""Programs that are lowered for accelerators, on a machine without one: `python lowering.py all|some`.

Prints, as JSON, which custom calls each program makes, and how many of its products of matrices are
left to the precision of the device. A program with a call of the host for its run-time errors cannot be
lowered here: those of RAISING are left out.
"""

import contextlib
import json
import re
import sys
from collections import Counter

import jax
import jax.numpy as jnp
import pytest
from jax import export, sharding

# Programs ask where they will run: precision is chosen for accelerators alone.
jax.default_backend = lambda: "gpu"

import meanfield as mf
from meanfield.attention import (
    L2,
    Blockwise,
    Fused,
    Guarded,
    Hardmax,
    Harmonic,
    MultiHead,
    Relu,
    Sharded,
    Sinkhorn,
    Softmax,
    Unnormalized,
)
from meanfield.dynamics import AttentionFlow, ConsensusFlow, FokkerPlanck, GaussianFlow, PreNorm
from meanfield.schemes import EntropicJKO, ParticleJKO, QuantileJKO, TransformerLayers

SPHERE = mf.geometry.Sphere(3)
X = SPHERE.sample(jax.random.key(0), 64)
CIRCLE = mf.geometry.Sphere(2).sample(jax.random.key(0), 64)
TS = jnp.array([0.0, 1.0])
BASIS = mf.harmonics.Gegenbauer(3, 16)


def run(flow, **options):
    return lambda x: mf.simulate(flow, x, TS, throw=False, **options).final


def field(attention):
    return lambda x: attention(x)


def slope(attention):
    """A gradient of what was compiled before, whose rules are traced when the sums are done."""
    field = jax.jit(lambda x: attention(x))
    return jax.grad(lambda x: field(x)[0, 0])


def steps(scheme):
    return lambda x: mf.rollout(scheme, x, 2, throw=False).final


SOFTMAX = Softmax(2.0)
QUICK = Guarded(Harmonic.of(2.0, 2), Blockwise(4))
FLOW = AttentionFlow(SPHERE, SOFTMAX)
NOISY = AttentionFlow(SPHERE, SOFTMAX, noise=0.1)
ENERGY = 0.1 * mf.energies.Entropy()
BOX = mf.transport.Box(-3.0, 3.0, 64)
SOME = {
    "dense": (field(Softmax(2.0)), X),
    "blockwise": (field(Softmax(2.0, engine=Blockwise())), X),
    "fused": (field(Softmax(2.0, engine=Fused())), X),
    "harmonic, circle": (field(Softmax(2.0, engine=Harmonic.of(2.0, 2))), CIRCLE),
    "ring": (field(Softmax(2.0, engine=Sharded())), X),
    "sinkhorn": (field(Sinkhorn(2.0)), X),
    "sinkhorn, gradient": (slope(Sinkhorn(2.0)), X),
    "blockwise, gradient": (slope(Softmax(2.0, engine=Blockwise())), X),
    "layers": (steps(TransformerLayers(3, SOFTMAX, PreNorm(), 0.1)), X),
    "simulate": (run(FLOW), X),
}
REST = {
    "fused, gradient": (slope(Softmax(2.0, engine=Fused())), X),
    "ring, gradient": (slope(Softmax(2.0, engine=Sharded())), X),
    "guarded, gradient": (slope(Softmax(2.0, engine=QUICK)), CIRCLE),
    "large beta, gradient": (slope(Softmax(1e3, engine=Blockwise())), X),
    "sinkhorn by blocks, gradient": (slope(Sinkhorn(2.0, engine=Blockwise())), X),
    "guarded": (field(Softmax(2.0, engine=QUICK)), CIRCLE),
    "L2": (field(L2(2.0, engine=Blockwise())), X),
    "unnormalized": (slope(Unnormalized(2.0)), X),
    "relu": (slope(Relu()), X),
    "hardmax": (field(Hardmax()), X),
    "heads": (slope(MultiHead([SOFTMAX, SOFTMAX])), X),
    "exponential steps": (
        run(FokkerPlanck(BASIS, SOFTMAX, 0.1), dt=0.1, solver=mf.solve.ExponentialRK4()),
        BASIS.analyze(jnp.ones(BASIS.nodes.shape[0])),
    ),
    "quantile JKO": (steps(QuantileJKO(ENERGY, 0.1)), jnp.linspace(-1.0, 1.0, 16)),
    "harmonic, S^2": (field(Softmax(2.0, engine=Harmonic.of(2.0, 3))), X),
    "fixed steps": (run(FLOW, dt=0.1), X),
    "noise": (run(NOISY, dt=0.1, key=jax.random.key(0)), X),
    "sinkhorn flow": (run(AttentionFlow(SPHERE, Sinkhorn(2.0))), X),
    "gradient": (jax.grad(lambda x: run(FLOW)(x)[0, 0]), X),
    "Fokker-Planck": (
        run(FokkerPlanck(BASIS, SOFTMAX, 0.1)),
        BASIS.analyze(jnp.ones(BASIS.nodes.shape[0])),
    ),
    "Gaussian": (lambda m: run(GaussianFlow(SOFTMAX))((m, jnp.eye(3))), jnp.zeros(3)),
    "consensus": (lambda x: run(ConsensusFlow([FLOW] * 2, 1.0))([x, x[::-1]]), X),
    "barycenter": (lambda x: mf.transport.barycenter([x, x[::-1] + 0.1]).points, X),
    "divergence": (lambda x: mf.transport.sinkhorn_divergence(x, x[::-1] + 0.1), X),
    "particle JKO": (steps(ParticleJKO(SPHERE, mf.energies.Interaction(2.0), 0.1)), X),
    "entropic JKO": (steps(EntropicJKO(BOX, ENERGY, 0.1, 0.1)), jnp.ones(64)),
}

RAISING = "sinkhorn, gradient", "sinkhorn by blocks, gradient"
"""Programs that have no `throw`: derivatives of entropic transport raise where they cannot be solved for."""


def lowered(name: str, of: tuple, platform: str) -> dict[str, int]:
    """Its calls; without its own run-time errors where it has them."""
    function, x = of
    with pytest.MonkeyPatch.context() as patch, named_device(name, platform):
        if name in RAISING:
            patch.setattr("equinox.error_if", lambda x, *rest, **options: x)
        return calls(function, x, platform)


def named_device(name: str, platform: str):
    """A card for kernels of Pallas, which jax asks for from version 0.11 on where there is none."""
    if (
        not name.startswith("fused")
        or platform != "cuda"
        or not hasattr(sharding, "AbstractDevice")
    ):
        return contextlib.nullcontext()
    card = sharding.AbstractDevice(device_kind="NVIDIA H100", num_cores=None, platform="gpu")
    axes = (1,), ("x",), (sharding.AxisType.Auto,)
    return sharding.use_abstract_mesh(sharding.AbstractMesh(*axes, abstract_device=card))


def calls(function, x, platform: str) -> dict[str, int]:
    """The custom calls of a program, by name, and its "inexact products"."""
    shape = jax.ShapeDtypeStruct(x.shape, x.dtype)
    known = export.DisabledSafetyCheck.custom_call
    targets = ("xla_ffi_python_gpu_callback", "tpu_callback", "__gpu$xla.gpu.triton")
    checks = [known(target) for target in targets]
    lowered = export.export(jax.jit(function), platforms=[platform], disabled_checks=checks)(shape)
    text = lowered.mlir_module()
    products = re.findall(r"stablehlo\.dot_general .*", text)
    inexact = sum("[HIGHEST, HIGHEST]" not in product for product in products)
    found = Counter(re.findall(r"custom_call @([\w$.]+)", text))
    return dict(found) | ({"inexact products": inexact} if inexact or not products else {})


if __name__ == "__main__":
    chosen = SOME if sys.argv[1] == "some" else SOME | REST
    platforms = ("cuda", "tpu")
    found = {p: {name: lowered(name, of, p) for name, of in chosen.items()} for p in platforms}
    print(json.dumps(found))
