"""What is changed in JAX, where it allows it, so that thousands of programs are made sooner.

No result depends on it.
"""

from jax._src.interpreters import mlir

MOST_PROGRAMS = 300
"""Programs that are lowered in one context of MLIR, which keeps their types and constants."""


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
