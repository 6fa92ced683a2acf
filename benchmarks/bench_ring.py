"""Ring attention on two devices that are forced out of one processor, against one device."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp

import meanfield as mf
from meanfield.attention import Blockwise, Sharded, Softmax

from ._contest import Contest, compiled, relative_error

ENVIRONMENT = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
FLOAT64 = True
BETA, SOME = 4.0, 256


def contests(tiny: bool) -> Iterator[Contest]:
    """The field and its gradient; the target says that the ring takes at most 15 % longer."""
    n = 256 if tiny else 16_384
    x = mf.geometry.Sphere(3).sample(jax.random.key(0), n)
    exact = Softmax(BETA, engine=mf.attention.Dense())(x[:SOME], x)
    x = x.astype(jnp.float32)
    ring = Sharded()
    spread = ring.shard(x)
    fields = {
        f"Sharded, {len(jax.devices())} devices": (Softmax(BETA, engine=ring), spread),
        "Blockwise, one device": (Softmax(BETA, engine=Blockwise()), x),
    }

    def gradient(attention):
        return jax.grad(lambda x: jnp.sum(attention(x) ** 2))

    facts = {"n": n, "d": 3, "beta": BETA, "dtype": "float32", "seed": 0}
    yield Contest(
        f"ring, field, n = {n:,}, d = 3",
        {name: lambda a=a, x=x: compiled(lambda x: a(x), x) for name, (a, x) in fields.items()},
        error=lambda field: relative_error(jax.device_get(field)[:SOME], exact),
        error_is="largest distance to float64 over the largest field",
        facts=facts,
        # Of the n^2/2 pairs: an exponential, a product of d and two of d + 1 columns.
        work={"exponentials": n * n / 2, "flops": n * n * (3 * 3 + 2)},
        targets={"Blockwise, one device": 1 / 1.15},
    )
    yield Contest(
        f"ring, gradient, n = {n:,}, d = 3",
        {name: lambda a=a, x=x: compiled(gradient(a), x) for name, (a, x) in fields.items()},
        facts=facts,
    )
