"""What every study of the package must do; a new one is found by its name."""

import dataclasses
import inspect

import figures_drawn
import pytest
from figures_drawn import drawn, shown_in
from refusals import check_refused, each_of
from study_contract import check_result

import meanfield.studies as S
from meanfield.io import digest
from meanfield.studies import Study, available

STUDIES = available()


QUICK = "hard_attention", "influence"
"""Computed anew all the same, of those whose figures are drawn from kept results."""
LONG = {
    *shown_in(figures_drawn.LONG).difference(QUICK, drawn()),
    "attention_normalizations",
    "attention_relaxation",
    "clustering_rates",
    "consensus_games",
    "critical_points",
    "first_clusters",
    "fluctuations",
    "gaussian_closures",
    "growth_rates",
    "heat",
    "heat_limit_steps",
    "ito_term",
    "jko_orders",
    "layer_thinness",
    "least_effort",
    "minibatch",
    "moderate_interaction",
    "particles_vs_pde",
    "pde_orders",
    "polygons",
    "real_layers",
    "regimes",
    "surprise_sign",
}
"""Half a minute each, or held by test_figures.py in what is kept; `make validate` computes them in full."""


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_is_a_frozen_dataclass(name):
    kind = STUDIES[name]
    assert "__dataclass_params__" in vars(kind), (
        "decorate it with dataclass(frozen=True, kw_only=True)"
    )
    assert kind.__mro__[1] is Study or inspect.isabstract(kind.__mro__[1]), (
        "studies are final: extend Study, or an abstract family of studies"
    )
    assert kind.__doc__, "say in one line what it shows"
    tiny = kind().tiny()
    assert type(tiny) is kind
    assert digest(dataclasses.replace(tiny).identity()) == digest(tiny.identity())


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=pytest.mark.slow if n in LONG else ())
        for n in STUDIES
        if n not in drawn()
    ],
)
def test_the_claims_of_a_tiny_study_hold(name, shared):
    tiny = STUDIES[name]().tiny()
    check_result(tiny, shared(tiny))


@pytest.mark.parametrize("name", STUDIES)
def test_a_tiny_study_has_the_physics_of_the_full_one(name):
    full = STUDIES[name]()
    tiny = full.tiny()
    for field in dataclasses.fields(full):
        was, now = getattr(full, field.name), getattr(tiny, field.name)
        if isinstance(was, tuple) and field.name not in SIZES:
            assert set(now) <= set(was), f"{field.name}: a sweep may be shortened, not changed"
        elif isinstance(was, float | str | bool) and field.name not in SIZES:
            assert now == was, f"{field.name} is no size"


SIZES = {
    *("sizes", "depths", "degrees", "steps", "cells_in_space", "quantiles", "epsilons", "times"),
    *("end", "t_end", "beta_min", "beta_max"),  # how far it goes
    *("tol", "dt", "epsilon", "width"),  # how finely
    *("strengths", "weights", "shown"),
}
"""Fields that say how large, how long or how fine a computation is."""


@pytest.mark.parametrize("name", STUDIES)
def test_wrong_fields_are_refused_before_anything_is_computed(name):
    kind = STUDIES[name]
    for field in dataclasses.fields(kind):
        default = field.default
        one = default[0] if isinstance(default, tuple) and default else default
        wrong = []
        if isinstance(one, float):
            wrong = [float("nan"), float("inf"), "three"]
        elif type(one) is int and one > 0 and not isinstance(default, tuple):
            wrong = [-3, 2.5]
        if field.name in ("d", "dimensions") and name != "minibatch":
            wrong += [1]
        if isinstance(default, tuple):
            wrong = [(), *((value, *default[1:]) for value in wrong)]
        for value in wrong:
            check_refused(lambda field=field, value=value: kind(**{field.name: value}), "pass ")


CONTRADICTIONS = [
    ("weights that are not there", lambda: S.RealLayers(weights="absent.gguf"), "pass its name"),
    ("a model that is not there", lambda: S.SteeredTransformers(source="absent"), "pass its name"),
    ("thicker and thicker", lambda: S.LayerThinness(sizes=(0.25, 1.0)), "pass sizes"),
    ("saves beyond the end", lambda: S.JkoFlows(steps=10), "pass steps=40"),
    ("one realization", lambda: S.Clustering(realizations=1), "pass realizations=2"),
    ("a chain below threshold", lambda: S.Fluctuations(noise_over_critical=(0.9,)), "unstable"),
    ("no reduction", lambda: S.FourWays(ways=("density", "volumes")), "reduction"),
    ("a law that is flat", lambda: S.FourWays(noise=0.6), "pass 0.2"),
    ("a time between steps", lambda: S.FourWays(times=(0.45,)), "first step"),
    ("odd tokens", lambda: S.Metastability(n=7), "pass n=64"),
    ("clusters that never part", lambda: S.Metastability(beta=(1.0,)), "far apart"),
    ("an unpublished beta", lambda: S.PublishedClusters(beta=(6.0,)), "choose from these"),
    ("too long a stride", lambda: S.PublishedClusters(stride=1000), "stride=1"),
    ("an unknown end", lambda: S.DensityClusters(beta=(6.0,)), "choose from these"),
    ("S^7 for the eye", lambda: S.HeatKernelClouds(dimensions=(8,)), "choose from these"),
    ("times backwards", lambda: S.HeatKernelClouds(times=(0.0, 0.8, 0.2)), "the start"),
    ("uneven steps", lambda: S.HeatLimitSteps(t_end=0.33), "change t_end"),
    ("sizes of no order", lambda: S.HeatLimitCoupling(sizes=(32, 100)), "pass (32, 128, 512)"),
    ("two sizes for a slope", lambda: S.MeanFieldLimit(sizes=(32, 64)), "pass more"),
    ("betas backwards", lambda: S.PhaseDiagram(beta_min=5.0, beta_max=2.0), "swap them"),
    ("more tokens than axes", lambda: S.RandomTransformer(n=64, d=32), "pass fewer"),
    ("steps between saves", lambda: S.SlowMerging(dt=0.3), "pass dt=0.1"),
    ("a negative density", lambda: S.AttentionNormalizations(tilt=1.5), "pass 0.8"),
    ("V of another sign", lambda: S.AttentionNormalizations(signs=(2,)), "pass these"),
]


@each_of(CONTRADICTIONS)
def test_fields_that_contradict_each_other_are_refused(call, remedy):
    check_refused(call, remedy)
