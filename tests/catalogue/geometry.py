"""Valid calls of the geometries and the bases of harmonics."""

import itertools

import jax.numpy as jnp

from catalogue.entry import entry
from catalogue.things import BUMP, CIRCLE, FLAT, FLAT_X, FLAT_Y, KEY, S2, SPHERE, WAVE, ZONAL, X, Y
from meanfield.geometry import Euclidean, Product, Sphere
from meanfield.harmonics import zonal_polynomials

TANGENT = SPHERE.to_tangent(X, Y)
PLACED = Product(Sphere(3), Euclidean(1))
PLACED_X, PLACED_Y = (jnp.concatenate([u, v[:, :1]], axis=1) for u, v in ((X, Y), (Y, X)))
ONE = {"x": "points", "y": "points"}
# One point is a batch as well as many.
ANY_BATCH = {("x", "four axes"), ("y", "four axes"), ("v", "four axes"), ("x", "an empty cloud")}
# The tangent space of R^d is the same everywhere.
ANY_PLACE = {("x", "NaN"), ("x", "infinity")}


def _tangent(space):
    return PLACED.to_tangent(PLACED_X, PLACED_Y) if space is PLACED else TANGENT


def _first_four(d, t):
    """The values of a generator that never ends."""
    return [*itertools.islice(zonal_polynomials(d, t), 4)]


ENTRIES = [
    entry("geometry.Sphere", d=3),
    entry("geometry.Euclidean", d=3),
    entry(
        "geometry.Product",
        lambda factor, other: Product(factor, other),
        factor=SPHERE,
        other=FLAT,
        kinds_={"factor": "object"},
    ),
    entry("geometry.Product.selector", PLACED.selector, k=1, fine_={("k", "zero")}),
    entry("geometry.Product.split", PLACED.split, x=PLACED_X, fine_=ANY_BATCH),
    entry(
        "geometry.Product.join",
        lambda u, s: PLACED.join(u, s),
        u=X,
        s=Y[:, :1],
        kinds_={"s": "points"},
        fine_={("u", "NaN"), ("u", "infinity"), ("s", "NaN"), ("s", "infinity")},
    ),
    *(
        made
        for name, space, x, y in (
            ("Sphere", SPHERE, X, Y),
            ("Euclidean", FLAT, FLAT_X, FLAT_Y),
            ("Product", PLACED, PLACED_X, PLACED_Y),
        )
        for made in (
            entry(f"geometry.{name}.check", space.check, x=x),
            entry(f"geometry.{name}.project", space.project, x=1.5 * x, fine_=ANY_BATCH),
            entry(
                f"geometry.{name}.to_tangent",
                space.to_tangent,
                x=x,
                v=y,
                fine_=ANY_BATCH | (set() if space is SPHERE else ANY_PLACE),
            ),
            entry(f"geometry.{name}.exp", space.exp, x=x, v=_tangent(space), fine_=ANY_BATCH),
            entry(f"geometry.{name}.log", space.log, x=x, y=y, fine_=ANY_BATCH),
            entry(f"geometry.{name}.distance", space.distance, x=x, y=y, fine_=ANY_BATCH),
            entry(f"geometry.{name}.sample", space.sample, key=KEY, n=4, single_=None),
        )
    ),
    entry("geometry.Sphere.extend", SPHERE.extend, field=jnp.sin, x=1.5 * X),
    entry("geometry.Product.extend", PLACED.extend, field=jnp.sin, x=1.5 * PLACED_X),
    entry("harmonics.Fourier", degree=4),
    entry("harmonics.Gegenbauer", d=3, degree=4),
    entry("harmonics.SphericalHarmonics", degree=4),
    entry("harmonics.meridian_waves", degree=4),
    entry(
        "harmonics.zonal_polynomials",
        _first_four,
        d=3,
        t=jnp.array([0.1, 0.5]),
        kinds_={"t": "array"},
    ),
    *(
        made
        for name, basis, coeffs, x in (
            ("Fourier", CIRCLE, WAVE, Sphere(2).sample(KEY, 5)),
            ("Gegenbauer", ZONAL, BUMP, jnp.array([-0.5, 0.1, 0.7])),
            ("SphericalHarmonics", S2, S2.analyze(1 + 0.5 * S2.points[:, 0]), X),
        )
        for made in (
            entry(
                f"harmonics.{name}.analyze",
                basis.analyze,
                values=basis.synthesize(coeffs),
                kinds_={"values": "array"},
            ),
            entry(f"harmonics.{name}.synthesize", basis.synthesize, coeffs=coeffs),
            entry(
                f"harmonics.{name}.evaluate", basis.evaluate, coeffs=coeffs, x=x, fine_=ANY_BATCH
            ),
            entry(
                f"harmonics.{name}.gradient", basis.gradient, coeffs=coeffs, x=x, fine_=ANY_BATCH
            ),
            entry(f"harmonics.{name}.node_gradient", basis.node_gradient, coeffs=coeffs),
            entry(
                f"harmonics.{name}.moments",
                basis.moments,
                fine_={("w", kind) for kind in ("a negative weight", "sum 2", "zeros")},  # linear
                x=x,
                w=jnp.full(len(x), 1 / len(x)),
                clouds_=(("x", "w"),),
            ),
            entry(
                f"harmonics.{name}.multipliers",
                basis.multipliers,
                profile=jnp.exp,
                resolution=64,
            ),
            entry(
                f"harmonics.{name}.heat", basis.heat, coeffs=coeffs, t=0.1, fine_={("t", "zero")}
            ),
            entry(
                f"harmonics.{name}.convolve",
                basis.convolve,
                coeffs=coeffs,
                multipliers=basis.multipliers(jnp.exp),
            ),
        )
    ),
]
