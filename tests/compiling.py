"""What is changed in JAX and diffrax, where they allow it, so that thousands of programs are made sooner.

No result depends on it: test_compiling.py holds each against what it replaces.
"""

import builtins

import diffrax._integrate as integrate
import jax
import jax.numpy as jnp
from jax._src.interpreters import mlir

MOST_PROGRAMS = 300
"""Programs that are lowered in one context of MLIR, which keeps their types and constants."""
ULPS = 100
"""What diffrax takes from the end of a run, one by one: the last step may end so much before it."""


def is_lowering() -> bool:
    """Whether a program is being written at this moment."""
    try:
        return mlir.ir.InsertionPoint.current is not None
    except ValueError:
        return False


def share_contexts():
    """One context of MLIR for many programs: to make and free one costs as much as a small program
    takes to be lowered, and leaves memory in pieces, a sixth of the time of all tests."""
    if not hasattr(mlir, "make_ir_context"):  # which is private to JAX
        return
    make, kept = mlir.make_ir_context, []

    def shared_context():
        if is_lowering():  # a program within another would become a part of it
            return make()
        if len(kept) % MOST_PROGRAMS == 0:
            kept[:] = [make()]
        else:
            kept.append(kept[0])
        return kept[0]

    mlir.make_ir_context = shared_context


class Once:
    """equinox's internals as diffrax sees them, with `ULPS` numbers back at a time in its loop."""

    def __init__(self, internals):
        self.internals, self.many = internals, False

    def __getattr__(self, name: str):
        return getattr(self.internals, name)

    def prevbefore(self, x):
        return before(x) if self.many else self.internals.prevbefore(x)

    def range(self, *bounds):
        """`range`, but one round where diffrax would go back by `ULPS` numbers."""
        if bounds != (ULPS,):
            return builtins.range(*bounds)
        return self._round()

    def _round(self):
        self.many = True
        yield 0
        self.many = False


def before(x):
    """The number `ULPS` before x, for x further from 0 than that; the gradient is 1."""
    bits = jnp.int64 if x.dtype == jnp.float64 else jnp.int32
    whole = jax.lax.bitcast_convert_type(jax.lax.stop_gradient(x), bits)
    down = jax.lax.bitcast_convert_type(jnp.where(x > 0, whole - ULPS, whole + ULPS), x.dtype)
    # Differences of numbers so near are exact, and so is the sum.
    return x + (down - jax.lax.stop_gradient(x))


def shorten_thresholds():
    """Each run has a hundred roundings fewer to compile, which is a third of a small program."""
    if hasattr(integrate, "eqxi") and hasattr(integrate.eqxi, "prevbefore"):
        integrate.eqxi = once = Once(integrate.eqxi)
        integrate.range = once.range
