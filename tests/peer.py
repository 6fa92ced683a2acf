"""What each of two processes does in test_distributed.py: `WAYS="slopes run" python peer.py FOLDER`."""

import os
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from toys import Powers

import meanfield as mf
from meanfield import studies
from meanfield.attention import Blockwise, Dense, Sharded, Softmax
from meanfield.commands import main


def ring_equals_one_device() -> None:
    engine = Sharded(engine=Blockwise(4))
    assert engine.ring.devices == 4
    sphere = mf.geometry.Sphere(3)
    x = sphere.sample(jax.random.key(0), 24)

    def slopes(engine, x):
        def total(x):
            field = Softmax(2.0, engine=engine)(x)
            return jnp.vdot(field, jnp.cos(x)), field

        return jax.jit(jax.grad(total, has_aux=True))(x)

    def run(engine, x):
        import diffrax  # whose earlier versions compute while they are imported, before processes meet

        flow = mf.dynamics.AttentionFlow(sphere, Softmax(2.0, engine=engine))
        return mf.simulate(flow, x, jnp.array([0.0, 0.2]), dt=0.1, solver=diffrax.Euler()).final

    for function in (of for of in (slopes, run) if of.__name__ in os.environ["WAYS"].split()):
        spread = function(engine, engine.shard(x))
        whole = multihost_utils.process_allgather(spread, tiled=True)
        if jax.process_index() == 0:  # both have gathered the same
            exact = function(Dense(), x)
            for one, other in zip(jax.tree.leaves(whole), jax.tree.leaves(exact), strict=True):
                np.testing.assert_allclose(one, other, atol=1e-13)


class PowersAndRing(Powers):
    """Whose claims are made in each process, while the processes know each other."""

    def claims(self, dataset):
        ring_equals_one_device()
        return super().claims(dataset)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    setattr(studies, "PowersAndRing", PowersAndRing)  # noqa: B010
    log, out = str(folder / "computed"), str(folder / "out")
    sys.exit(main(["run", "powers_and_ring", "--log", log, "--out", out, "--distributed"]))
