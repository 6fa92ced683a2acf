"""The profile of recordings whose measures are known: rigid rotations, swaps, sinks, duplicates."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused
from scipy.cluster.hierarchy import linkage
from scipy.stats import t as student

import meanfield as mf
from meanfield.latents import Recording, profile
from meanfield.latents.profiles._bootstrap import interval
from meanfield.latents.profiles._references import concentration, of_matched
from meanfield.latents.profiles._series import of_series
from meanfield.measures import VonMisesFisher
from meanfield.observables import entropy_knn, gaussian_information, intrinsic_dimension

RNG = np.random.default_rng(5)
TEXTS, LAYERS, N, D, ANGLE = 3, 5, 12, 4, 0.3
C, S = np.cos(ANGLE), np.sin(ANGLE)
# Every vector turns by the same angle, in two planes at once.
TURN = np.kron(np.eye(2), [[C, -S], [S, C]])

ENTROPY = jax.jit(lambda x: entropy_knn(x).value)
MATCHED = jax.jit(lambda resultant: concentration(resultant, D))
DIMENSION = jax.jit(lambda x: intrinsic_dimension(x).value)


def turning(x, layers=LAYERS):
    """Clouds that turn rigidly from layer to layer, and swap their first two tokens at last."""
    states = [x]
    for _ in range(layers - 2):
        states.append(states[-1] @ TURN.T)
    last = states[-1].copy()
    last[[0, 1]] = last[[1, 0]]
    return np.stack([*states, last])


STARTS = RNG.normal(size=(TEXTS, N, D)) + np.array([1.0, 0, 0, 0])
CORPUS = [Recording(turning(x)) for x in STARTS]


@pytest.fixture(scope="module")
def report():
    return profile(CORPUS, betas=(2.0,), scales=(0.3, 0.6))


def units():
    return STARTS / np.linalg.norm(STARTS, axis=-1, keepdims=True)


def test_what_a_rotation_preserves_is_the_same_at_all_layers(report):
    u = units()
    gram = u @ u.transpose(0, 2, 1)
    want = {
        "alignment": (gram.sum((1, 2)) - N) / (N * (N - 1)),
        "energy": np.exp(2 * (gram - 1)).mean((1, 2))[:, None] / 4,
        "radius": np.linalg.norm(STARTS, axis=-1).mean(1),
        "radius_spread": np.linalg.norm(STARTS, axis=-1).std(1)
        / np.linalg.norm(STARTS, axis=-1).mean(1),
        "entropy": [float(ENTROPY(x)) for x in u],
        "dimension": [float(DIMENSION(x)) for x in u],
    }
    for name, values in want.items():
        each = report[f"{name}_each"].values
        np.testing.assert_allclose(each, np.broadcast_to(np.asarray(values)[:, None], each.shape),
                                   rtol=1e-10)  # fmt: skip
        np.testing.assert_allclose(report[name], each.mean(0), rtol=1e-12)
    np.testing.assert_allclose(report.alignment_centred, report.alignment_centred[0], rtol=1e-10)
    centred = u - u.mean(1, keepdims=True)
    centred /= np.linalg.norm(centred, axis=-1, keepdims=True)
    want = [float(ENTROPY(x)) for x in centred]
    np.testing.assert_allclose(report.entropy_centred_each[:, 2], want, rtol=1e-9)
    heights = [
        linkage(np.arccos(np.clip(g, -1, 1))[np.triu_indices(N, 1)], "single")[:, 2] for g in gram
    ]
    for scale in (0.3, 0.6):
        count = [1 + (h > scale).sum() for h in heights]
        assert (report.clusters_each.sel(scale=scale) == np.array(count)[:, None]).all()


def test_steps_of_a_rotation_and_of_a_swap(report):
    radii = np.linalg.norm(STARTS, axis=-1)
    turned = report.isel(step=slice(0, LAYERS - 2))
    for name, value in {"displacement": ANGLE, "turning": ANGLE, "growth": 0.0}.items():
        np.testing.assert_allclose(turned[name], value, atol=1e-12)
    np.testing.assert_allclose(turned.speed, 2 * np.sin(ANGLE / 2) * radii.mean(), rtol=1e-12)
    # Increments turn by the angle too; the first has none before it.
    assert np.isnan(report.autocorrelation[0])
    np.testing.assert_allclose(turned.autocorrelation[1:], C, rtol=1e-12)
    assert (turned.wasserstein <= turned.displacement + 1e-12).all()
    # A swap moves no mass: all but the two tokens are best left alone, at no cost.
    swapped = report.isel(step=-1)
    np.testing.assert_allclose(swapped.identity, (N - 2) / N, rtol=1e-12)
    np.testing.assert_allclose(swapped.wasserstein, 0, atol=1e-7)
    apart = np.arccos((units()[:, 0] * units()[:, 1]).sum(-1))
    np.testing.assert_allclose(swapped.displacement_each, apart * np.sqrt(2 / N), rtol=1e-10)
    x, y = (CORPUS[1].cloud(entry) for entry in (1, 2))
    np.testing.assert_allclose(
        report.information_each[1, 1], gaussian_information(x, y), rtol=1e-12
    )


def test_rotations_stand_beside_their_nulls():
    # Each coordinate is an oscillation: 8 + 3 layers have 8 steps of 2 pi/8 between pairs, one turn.
    angle = 2 * np.pi / 8 * np.arange(11)[:, None, None] + RNG.normal(size=(1, 400, 6))
    found = of_series(Recording(np.cos(angle)), seed=0)
    np.testing.assert_allclose(found["rotations"], 1, rtol=1e-6)
    np.testing.assert_allclose(found["rotations_white"], 8 / (4 * np.sqrt(2)), rtol=1e-12)
    # A walk seldom turns: a step is small beside where it has come to.
    assert abs(found["rotations_walk"]) < 0.8 < 1.3 < found["rotations_white"]
    assert abs(found["rotations_signs"]) < 0.8


def test_intervals_are_those_of_means_of_texts(report):
    # Of two texts with the values 0 and 1, resampled means are 0, 1/2 and 1 with chances 1/4, 1/2, 1/4.
    mean, low, high = interval(np.array([[0.0, 3.0], [1.0, 3.0]]), seed=0)
    np.testing.assert_array_equal([mean, low, high], [[0.5, 3], [0, 3], [1, 3]])
    # Of many, the normal interval: 1000 resamples know each end to 4 % of the deviation.
    values = RNG.normal(size=(100, 1))
    mean, low, high = interval(values, seed=0)
    reach = 1.96 * values.std() / 10
    np.testing.assert_allclose([low - mean, high - mean], [[-reach], [reach]], atol=0.2 * reach)
    assert (report.alignment_low <= report.alignment).all()
    assert (report.alignment <= report.alignment_high).all()


def test_entropies_stand_beside_those_of_references(report):
    assert abs(float(report.entropy_uniform)) < 4 * float(report.entropy_uniform_error)
    law = VonMisesFisher(jnp.eye(D)[0], MATCHED(np.sqrt(report.alignment[0].item())))
    np.testing.assert_allclose(law.resultant() ** 2, report.alignment[0], rtol=1e-9)
    np.testing.assert_allclose(report.entropy_matched_exact, float(law.entropy()), rtol=1e-9)
    gap = report.entropy_matched - report.entropy_matched_exact
    # n = 12: one sample has a standard error of 4 or so, over 5 layers; far from the laws' -0.3 it is not.
    assert abs(float(gap.mean())) < 1.0
    # Each mean of eight samples is known to its interval: three times that is five deviations or more.
    reach = (report.entropy_matched_high - report.entropy_matched_low) / 2
    assert (abs(gap) < 3 * reach).all() and float(reach.mean()) < 4
    resultant = jax.jit(lambda kappa: VonMisesFisher(jnp.eye(D)[0], kappa).resultant())
    for kappa in (0.0, 1e-3, 5.0, 300.0):
        found = MATCHED(resultant(kappa))
        np.testing.assert_allclose(found, kappa, rtol=1e-7, atol=1e-12)


def test_matched_samples_are_the_same_in_both_precisions():
    key, product = jax.random.key(3), np.array(0.3)
    single, double = (
        of_matched(key, jnp.asarray(product, k), N, D) for k in ("float32", "float64")
    )
    for name, value in double.items():
        np.testing.assert_allclose(single[name], value, rtol=1e-4, atol=1e-5)
    kappa = MATCHED(jnp.sqrt(jnp.asarray(product)))
    law = VonMisesFisher(jnp.eye(D, dtype=jnp.float32)[0], kappa.astype(jnp.float32))
    one = jax.jit(lambda k: entropy_knn(law.sample(k, N)).value)
    found = [float(one(k)) for k in jax.random.split(key, 8)]
    reach = student(7).ppf(0.975) * np.std(found, ddof=1) / np.sqrt(8)
    want = np.mean(found) - reach, np.mean(found) + reach
    ends = double["entropy_matched_low"], double["entropy_matched_high"]
    np.testing.assert_allclose(ends, want, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(double["entropy_matched"], np.mean(found), rtol=1e-4, atol=1e-5)


def test_sinks_and_duplicates_are_left_out_and_told():
    x = np.concatenate([9 * STARTS[0][:1], STARTS[0], STARTS[0][:2]])  # a sink, and two duplicates
    plain = profile(Recording(turning(STARTS[0])[:3]), betas=(2.0,), scales=(0.3, 0.6))
    found = profile(Recording(turning(x)[:3]), betas=(2.0,), scales=(0.3, 0.6), sinks=5.0)
    np.testing.assert_allclose(found.sinks, 1 / 15, rtol=1e-12)
    np.testing.assert_allclose(found.duplicates, 2 / 14, rtol=1e-12)
    assert found.n == plain.n == N
    for name in ("entropy", "alignment", "wasserstein", "clusters"):
        np.testing.assert_allclose(found[name], plain[name], rtol=1e-12)


def test_writes_of_attention_and_mlp():
    states = turning(STARTS[0])[:3]
    ortho = np.linalg.norm(states[:2], axis=-1, keepdims=True) * np.array([0, 0, 0, 0.5])
    report = profile(Recording(states, mid=states[:2] + ortho), betas=(2.0,), scales=(0.3, 0.6))
    np.testing.assert_allclose(report.attention_write, 0.5, rtol=1e-12)
    rest = states[1:] - states[:2] - ortho
    sizes = np.linalg.norm(rest, axis=-1)
    np.testing.assert_allclose(
        report.mlp_write, (sizes / np.linalg.norm(states[:2], axis=-1)).mean(1), rtol=1e-12
    )
    np.testing.assert_allclose(report.write_cosine, (rest[..., 3] / sizes).mean(1), rtol=1e-12)


def test_what_cannot_be_profiled_is_refused():
    few = Recording(STARTS[:1, :7])
    check_refused(lambda: profile(few), "record longer texts")
    zero = STARTS.copy()
    zero[1, 3] = 0
    check_refused(lambda: profile(Recording(zero)), "drop those tokens")
    check_refused(lambda: profile([CORPUS[0], Recording(STARTS)]), "select layers")
    check_refused(lambda: profile(CORPUS, betas=(-1.0,)), "pass betas")
    check_refused(lambda: profile(CORPUS, scales=()), "pass scales")
    check_refused(lambda: profile(CORPUS, sinks=0.0), "pass sinks")
    check_refused(lambda: profile([]), "pass recordings")
    assert mf.latents.profile is profile
