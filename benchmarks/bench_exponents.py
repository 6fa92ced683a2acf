"""How time grows between two sizes that are timed in turn, until the exponent is known to .05."""

from collections.abc import Callable, Iterator

from meanfield.attention import Blockwise, Harmonic
from meanfield.harmonics import Gegenbauer

from ._contest import Contest, Work
from .bench_scaling import BETA, density, ensemble, field

FLOAT64 = True
GROWTH = 4
QUADRATIC, LINEAR = (1.9, 2.1), (0.9, 1.1)


def contests(tiny: bool) -> Iterator[Contest]:
    """Each to the size that the package is meant for: 10^7 tokens by harmonics, 10^5 by blocks and clouds,
    4,096 dimensions, degree 512."""
    shrink, blocks = 512 if tiny else 1, Blockwise()
    circle, sphere = Harmonic.of(BETA, 2), Harmonic.of(BETA, 3, 1e-6)
    by_blocks = lambda n: field(blocks, 3, n, BETA)
    yield _growth("Blockwise", "n", 25_000 // shrink, by_blocks, QUADRATIC)
    many = 2_500_000 // shrink
    yield _growth("Harmonic, circle", "n", many, lambda n: field(circle, 2, n, BETA), LINEAR)
    yield _growth("Harmonic, S^2", "n", many, lambda n: field(sphere, 3, n, BETA), LINEAR)
    wide = lambda d: field(blocks, d, 4096 // shrink, BETA)
    yield _growth("Blockwise, n = 4,096", "d", 32 if tiny else 1024, wide)
    yield _growth("simulate, n = 32, 2 steps", "clouds", 25_000 // shrink, ensemble, LINEAR)
    zonal = lambda degree: density(Gegenbauer(3, degree))
    yield _growth("FokkerPlanck, zonal", "degree", 8 if tiny else 128, zonal)


def _growth(
    who: str, variable: str, size: int, ready: Callable[[int], Work], limits: tuple | None = None
) -> Contest:
    sizes = {f"{variable} = {at:,}": at for at in (size, GROWTH * size)}
    large = list(sizes)[1]
    return Contest(
        f"exponent in {variable}, {who}",
        {name: lambda at=at: ready(at) for name, at in sizes.items()},
        facts={"beta": BETA, "growth": GROWTH, "seed": 0},
        limits={f"exponent: {large}": limits} if limits else {},
        growth=GROWTH,
        repeats=5,
    )
