"""One softmax field on one core, n = 16,384, d = 3, 16, 128, float32: without what threads cost."""

from collections.abc import Iterator
from dataclasses import replace

from . import bench_field
from ._contest import Contest

CORES = 1
FLOAT64 = True  # for the reference; the tokens are float32
OURS = ("Blockwise", "Blockwise, query and key", "jax, dense", "PyTorch, fused")
"""NumPy's threads are counted before a process can be told to use one core."""


def contests(tiny: bool) -> Iterator[Contest]:
    """Those of `field`, of the contenders that keep to one core."""
    for contest in bench_field.contests(tiny):
        kept = {name: make for name, make in contest.contenders.items() if name in OURS}
        name = contest.name.replace("field", "field on one core")
        yield replace(contest, name=name, contenders=kept, targets={}, memory=(), headline="")
