"""Ring attention on two devices that are forced out of one processor, against one device."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp

import meanfield as mf
from meanfield.attention import Blockwise, Sharded, Softmax

from ._contest import Contest, compiled, relative_error
from .peers import pytorch

ENVIRONMENT = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
FLOAT64 = True
BETA, SOME = 4.0, 256


def contests(tiny: bool) -> Iterator[Contest]:
    """The field and its gradient; the target says that the ring takes at most 15 % longer."""
    n = 256 if tiny else 16_384
    for d in (3, 16):
        yield _field(n, d)
    fields = _contenders(n, 3)[2]
    yield Contest(
        f"ring, gradient, n = {n:,}, d = 3",
        {
            name: lambda a=a, x=x: compiled(jax.grad(lambda x: jnp.sum(a(x) ** 2)), x)
            for name, (a, x) in fields.items()
        },
        facts=_facts(n, 3),
    )


def _field(n: int, d: int) -> Contest:
    exact, x, fields = _contenders(n, d)
    work = {name: lambda a=a, x=x: compiled(lambda x: a(x), x) for name, (a, x) in fields.items()}
    return Contest(
        f"ring, field, n = {n:,}, d = {d}",
        work | {"PyTorch, fused": lambda: pytorch.attention(x, BETA)},
        error=lambda field: relative_error(jax.device_get(field)[:SOME], exact),
        error_is="largest distance to float64 over the largest field",
        facts=_facts(n, d),
        # Of the n^2/2 pairs: an exponential, a product of d and two of d + 1 columns.
        work={"exponentials": n * n / 2, "flops": n * n * (3 * d + 2)},
        targets={"Blockwise, one device": 1 / 1.15},
    )


def _contenders(n: int, d: int):
    """The exact field of some tokens, the tokens, and attentions with the tokens as they take them.

    Of two devices each works on blocks of its own, and small ones stay in its cache.
    """
    x = mf.geometry.Sphere(d).sample(jax.random.key(0), n)
    exact = Softmax(BETA, engine=mf.attention.Dense())(x[:SOME], x)
    x = x.astype(jnp.float32)
    ring = Sharded(engine=Blockwise(512))
    return (
        exact,
        x,
        {
            f"Sharded, {len(jax.devices())} devices": (Softmax(BETA, engine=ring), ring.shard(x)),
            "Blockwise, one device": (Softmax(BETA, engine=Blockwise()), x),
        },
    )


def _facts(n: int, d: int) -> dict:
    return {"n": n, "d": d, "beta": BETA, "dtype": "float32", "seed": 0}
