"""Time of ring attention over the number of devices, 1, 2 and 4, for one cloud of 16,384 tokens.

Devices that are forced out of one processor share its cores: ideal is then a time that does not
change (exponent 0, where one device uses all cores), and devices of their own would give -1.
"""

from collections.abc import Iterator

import jax
import jax.numpy as jnp

import meanfield as mf
from meanfield.attention import Sharded, Softmax

from ._contest import Contest, compiled, relative_error

ENVIRONMENT = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4"}
FLOAT64 = True  # for the reference; the tokens are float32
BETA, SOME = 4.0, 256


def contests(tiny: bool) -> Iterator[Contest]:
    """The field on as many devices as there are, of 1, 2 and 4."""
    n = 256 if tiny else 16_384
    x = mf.geometry.Sphere(3).sample(jax.random.key(0), n)
    exact = Softmax(BETA, engine=mf.attention.Dense())(x[:SOME], x)
    for count in (1, 2, 4):
        if count > len(jax.devices()):
            return
        yield Contest(
            "time over devices",
            {"Sharded": lambda count=count: _field(x.astype(jnp.float32), count)},
            error=lambda field: relative_error(jax.device_get(field)[:SOME], exact),
            error_is="largest distance to float64 over the largest field",
            facts={"n": n, "d": 3, "beta": BETA, "dtype": "float32", "devices": count},
            sweep=("devices", count),
            repeats=5,
        )


def _field(x, count: int):
    kind = (jax.sharding.AxisType.Auto,)
    mesh = jax.make_mesh((count,), ("tokens",), axis_types=kind, devices=jax.devices()[:count])
    ring = Sharded(mesh, axis="tokens")
    attention = Softmax(BETA, engine=ring)
    return compiled(lambda x: attention(x), ring.shard(x))
