import functools
import math
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array

from ...latents import Transformer, marginals
from ...latents.training import (
    Batch,
    draw,
    masked_loss,
    parts_of_help,
    tiny_transformer,
    train,
    unigram_loss,
)
from ...observables import alignment, merge_heights
from ..machinery import Claim, Study, check_that

ANGLE = 0.5
"""Single-linkage clusters are counted at this angle."""
ESCAPED = 0.3
"""Nats below the loss of who knows frequencies alone, from which on a model uses what it sees."""
SOURCE = "Sander, Ablin, Blondel and Peyre, arXiv 2110.11773"
KNOWN = {
    "loss": "mean of minus log probability of hidden held-out characters, nats",
    "clusters": "single-linkage clusters of the characters of a window at an angle of .5",
    "alignment": "mean inner product of the directions of two characters of a window",
    "hidden_alignment": "the same of two hidden characters of any windows",
}
OF_ATTENTION = ("from_one", "columns", "slope", "slope_r2", "symmetric")


@dataclass(frozen=True, kw_only=True)
class TrainedSinkformer(Study):
    """Small transformers that guess hidden characters, with softmax and with Sinkhorn attention, in training.

    Over `save`, at the training step `at`: `train_loss`, `loss` on held-out text, clusters and alignment of
    the states [layer], those of hidden characters, the distance `from_one` of column sums from 1 and
    their quantiles `columns` [layer, quantile]. `unigram` is the loss of who knows frequencies alone: a
    model that has learned no more keeps its hidden characters in one cluster. It escapes when it
    uses what it sees.

    Each attention has its own best of `rates`, by the mean final loss over `starts`: a comparison at one
    rate says nothing. Text: Python's help, the last twentieth held out.

    Source: Sander, Ablin, Blondel and Peyre, arXiv 2110.11773, section 5.
    """

    GRID: ClassVar = {"attention": "attentions", "rate": "rates", "start": "starts"}
    QUANTITIES: ClassVar = {
        "rate": "largest learning rate",
        "start": "number of the start",
    }

    attentions: tuple[str, ...] = ("softmax", "sinkhorn")
    """Attentions."""
    rates: tuple[float, ...] = (1e-3, 3e-3, 1e-2)
    """Largest learning rates of Adam."""
    starts: tuple[int, ...] = (0, 1)
    """Seeds of weights and of what is drawn to train on."""
    steps: int = 6000
    """Steps of training."""
    batch: int = 16
    """Windows a step."""
    saves: int = 12
    """Times at which the model is looked at, after the start."""
    iterations: int = 3
    """Sinkhorn iterations after softmax."""
    d: int = 32
    """Dimension of the states; heads have a quarter of it."""
    depth: int = 3
    """Layers."""
    length: int = field(default=32, metadata={"least": 8})
    """Characters of a window."""
    windows: int = 64
    """Windows of held-out text."""

    def check(self) -> None:
        check_that(self.d % 4 == 0, "d that four heads share", self.d, "pass d=32")
        check_that(self.saves <= self.steps, "saves at steps", self.saves, "pass saves=12")

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        text, rest = parts_of_help()
        seen = draw(rest, (self.windows,), self.length, self.seed)
        saved = [*self.training(cell, text)]
        told = [_told(one.model, seen) for one in saved]
        found = xr.concat(told, "save", data_vars="all", coords="minimal", join="exact")
        return found.assign(
            at=("save", [one.step for one in saved], {"long_name": "steps of training"}),
            train_loss=("save", [one.loss for one in saved], {"long_name": "mean training loss"}),
            unigram=((), unigram_loss(text, seen), {"long_name": "loss by frequencies alone"}),
        )

    def training(self, cell: dict[str, Any], text: np.ndarray):
        """The training of one cell, model by model."""
        iterations = self.iterations if cell["attention"] == "sinkhorn" else None
        seed = self.seed + 1000 * cell["start"]
        model = tiny_transformer(
            jax.random.key(seed), iterations, self.d, self.depth, longest=self.length
        )
        return train(model, text, self.steps, cell["rate"], self.batch, self.saves, seed)

    def tiny(self) -> "TrainedSinkformer":
        sizes = {"steps": min(self.steps, 24), "saves": 2, "batch": min(self.batch, 8)}
        sizes |= {"d": min(self.d, 16), "depth": min(self.depth, 2), "windows": 4}
        return replace(self, rates=self.rates[1:2] or self.rates, starts=self.starts[:1], **sizes)

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        # Logits of variance 1 have log sum exp = log V + 1/2 + O(1/V); frequent characters share theirs,
        # which is off by sqrt(sum p^2) = .25 a deviation.
        start, words = dataset.loss.isel(save=0), math.log(97) + 0.5
        off = abs(start - words).max(skipna=False)
        fall = (dataset.loss.isel(save=-1) - start).max(skipna=False)
        claims = [
            Claim.at_most("loss at the start off log V + 1/2", off, 4 * 0.25, "normal logits"),
            Claim.at_most("change of the loss, largest", fall, 0.0, "training"),
        ]
        if {*self.attentions} >= {"softmax", "sinkhorn"}:
            last = at_best(dataset).from_one.isel(save=-1).mean(["start", "step"])
            nearer = last.sel(attention="sinkhorn") / last.sel(attention="softmax")
            claims.append(
                Claim.at_most(
                    "distance from 1 of columns, sinkhorn over softmax", nearer, 1.0, SOURCE
                )
            )
        return claims


def at_best(dataset: xr.Dataset) -> xr.Dataset:
    """Each attention at the rate of its least final loss, in the mean over starts."""
    means = dataset.loss.isel(save=-1).mean("start", skipna=False)
    best = means.fillna(math.inf).argmin("rate")
    return dataset.isel(rate=best)


def escape(dataset: xr.Dataset) -> xr.DataArray:
    """The first saved step at which the loss is well below that of frequencies alone, else infinite."""
    below = dataset.loss < dataset.unigram - ESCAPED
    return dataset.at.where(below, math.inf).min("save")


def _told(model: Transformer, seen: Batch) -> xr.Dataset:
    """What is measured of one model on held-out windows."""
    values = {name: np.asarray(value) for name, value in _measured(model, _on_device(seen)).items()}
    shown = np.asarray(seen.shown)[:8]
    attention = marginals(model, [model.record(ids) for ids in shown], sinks=None)
    kept = attention[[*OF_ATTENTION]]
    dims = {name: ("layer",) if value.ndim else () for name, value in values.items()}
    known = {
        name: (dims[name], value, {"long_name": KNOWN[name]}) for name, value in values.items()
    }
    return kept.assign(known).assign_coords(layer=np.arange(model.depth + 1))


def _on_device(batch: Batch) -> Batch:
    return Batch(jnp.asarray(batch.ids, jnp.int32), jnp.asarray(batch.hidden))


@eqx.filter_jit
def _measured(model: Transformer, seen: Batch) -> dict[str, Array]:
    states = jax.vmap(model.states, out_axes=1)(jnp.asarray(seen.shown))
    units = states / jnp.linalg.norm(states, axis=-1, keepdims=True)
    each = functools.partial(jax.vmap, in_axes=0)
    clusters = each(each(lambda u: 1 + (merge_heights(u) > ANGLE).sum()))(units)
    hidden = jnp.asarray(seen.hidden).ravel().astype(units.dtype)
    return {
        "loss": masked_loss(model, seen),
        "clusters": clusters.mean(axis=1, dtype=units.dtype),
        "alignment": each(each(alignment))(units).mean(axis=1),
        "hidden_alignment": each(lambda u: alignment(u, hidden / hidden.sum()))(
            units.reshape(len(units), -1, model.d)
        ),
    }
