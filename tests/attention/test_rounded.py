"""Products of fewer digits: in the program when asked for, as far off as is told, and refused elsewhere."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export
from jax.lax import DotAlgorithmPreset
from refusals import check_refused
from unit_vectors import unit_vectors

from meanfield.attention import Blockwise, Dense, Harmonic, Rounded, Softmax

TF32, BF16X3 = DotAlgorithmPreset.TF32_TF32_F32, DotAlgorithmPreset.BF16_BF16_F32_X3
X = unit_vectors(0, 9, 3).astype(jnp.float32)
VALUE = np.random.default_rng(0).normal(size=(4, 3))
TOLD = {TF32: ("tf32", 1), BF16X3: ("bf16", 3)}


def products(function, platform: str) -> list[str]:
    """The products of matrices of a program for this platform."""
    shape = jax.ShapeDtypeStruct(X.shape, X.dtype)
    text = export.export(jax.jit(function), platforms=[platform])(shape).mlir_module()
    return re.findall(r"stablehlo\.dot_general .*", text)


@pytest.mark.parametrize(
    ("engine", "preset", "platform"),
    [
        (Dense(), TF32, "cuda"),
        pytest.param(Dense(), BF16X3, "cuda", marks=pytest.mark.slow),
        (Blockwise(4), BF16X3, "tpu"),
    ],
)
def test_the_products_of_the_program_are_those_asked_for(engine, preset, platform, monkeypatch):
    monkeypatch.setattr("jax.default_backend", lambda: {"cuda": "gpu"}.get(platform, platform))
    kind, count = TOLD[preset]
    asked = f"lhs_precision_type = {kind}, rhs_precision_type = {kind}"

    def total(engine):
        field = jax.jit(lambda x: Softmax(2.0, engine=engine)(x))
        return jax.value_and_grad(lambda x: field(x)[0, 0])

    rounded = products(total(Rounded(engine, preset)), platform)
    assert len(rounded) >= 4 and all(asked in product for product in rounded)
    assert all(f"num_primitive_operations = {count}," in product for product in rounded)
    exact = products(total(engine), platform)
    assert exact and all("[HIGHEST, HIGHEST]" in product for product in exact)


def in_tf32(a, b):
    """A product of factors cut to 11 bits, as GPUs do."""

    def cut(a):
        mantissa, exponent = np.frexp(a)
        return np.ldexp(np.trunc(mantissa * 2.0**11), exponent - 11)

    return cut(a) @ cut(b)


def in_bf16x3(a, b):
    """Three products of bfloat16: of what it keeps of the factors, and of that with what it leaves."""
    kept = [np.asarray(jnp.asarray(a).astype(jnp.bfloat16), float) for a in (a, b)]
    rest = [jnp.asarray(a - k).astype(jnp.bfloat16) for a, k in zip((a, b), kept, strict=True)]
    left, right = (np.asarray(r, float) for r in rest)
    return kept[0] @ kept[1] + left @ kept[1] + kept[0] @ right


@pytest.mark.parametrize(
    ("preset", "product", "less", "most"),
    [(TF32, in_tf32, (10, 100), 0.05), (BF16X3, in_bf16x3, (100, 1000), 1e-3)],
)
def test_the_error_is_below_what_is_told_as_far_as_is_said(preset, product, less, most):
    x, beta = np.asarray(unit_vectors(1, 200, 3)), 9.0
    ones = np.ones((200, 1))

    def field(product):
        weights = np.exp(beta * product(x, x.T) - beta)
        sums = product(weights, np.concatenate([product(x, VALUE.T), ones], axis=1))
        return sums[:, :-1] / sums[:, -1:]

    exact = field(np.matmul)
    error = np.linalg.norm(field(product) - exact, axis=1) / np.linalg.norm(exact, axis=1)
    attention, engine = Softmax(beta, value=VALUE), Rounded(Dense(), preset)
    told = np.asarray(engine.relative_error(attention, jnp.asarray(x, jnp.float32)))
    assert (error < told).all()
    # Roundings mostly cancel, where a bound adds them.
    assert less[0] < np.median(told) / np.median(error) < less[1]
    plain = engine.relative_error(Softmax(beta), jnp.asarray(x, jnp.float32))
    assert most / 2 < plain.max() < most


def test_what_is_told_of_one_token():
    """Its field is V x: t_Z = s Z with s = (1 + u) e^{u beta} - 1, and t_F is s |V x| + u |V| |x|; the
    error is a share of the exact field, which is shorter by it at most."""
    x, u, beta = np.array([[0.6, 0.8, 0.0]], np.float32), 2.0**-9, 9.0
    share = (1 + u) * np.exp(u * beta) - 1
    value = np.linalg.norm(VALUE) / np.linalg.norm(VALUE @ x[0])
    off = (share + u * value + share) / (1 - share)
    found = Rounded(Dense(), TF32).relative_error(Softmax(beta, value=VALUE), jnp.asarray(x))
    # s is known to eps/s = 6e-6 of it in float32
    np.testing.assert_allclose(found, [off / (1 - off)], rtol=2e-5)


def test_where_it_has_no_meaning_it_is_refused(monkeypatch):
    attention = Softmax(2.0, engine=Rounded(Dense(), TF32))
    check_refused(lambda: attention(X), "expected a gpu for products in TF32_TF32_F32, got a cpu")
    check_refused(lambda: attention(X.astype(float)), "expected float32 tokens")
    with pytest.raises(ValueError, match="an engine of products"):
        Rounded(Harmonic.of(2.0, 3), TF32)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="TF32_TF32_F32 or BF16_BF16_F32_X3"):
        Rounded(Dense(), DotAlgorithmPreset.F64_F64_F64)
    monkeypatch.setattr("jax.default_backend", lambda: "tpu")
    check_refused(lambda: attention(X), "expected a gpu")
