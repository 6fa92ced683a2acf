import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array

from ...latents import Transformer
from ...latents.training import (
    Batch,
    draw,
    last_loss,
    next_loss,
    next_losses,
    parts_of_help,
    tiny_transformer,
    train,
    unigram_loss,
)
from ...observables import alignment, merge_heights
from ..machinery import Claim, Study, check_that, some_of

ANGLE = 0.5
"""Single-linkage clusters are counted at this angle."""
TRAININGS: dict[str, Callable] = {"all": next_loss, "last": last_loss}
KINDS = ("softmax", "sinkhorn", "prefixes")
AHEAD = "what comes behind is masked"
OF_PREFIX = "no plan has what comes behind; derived here"
SINKHORN = "columns of uniform causal attention; derived here"


@dataclass(frozen=True, kw_only=True)
class CausalCharacters(Study):
    """Small transformers of the next character, with causal softmax and two causal Sinkhorn attentions.

    A causal `Sinkhorn` attention with the column sums of uniform attention caps what the first token can
    draw, an attention sink, at H_n. But its columns take in the rows of all tokens: a place that is not
    the last one sees a little of what comes behind it. Of the `prefixes`, each token is the last of those
    up to it and sees their doubly stochastic plan alone (`Prefixes`): nothing of what is behind, but no
    column is held over places either. So all is measured twice, over places:

    - `whole` [place]: the loss, where the model has the whole window, and `prefix` [seen] and `window`
      [seen], the losses at one place where it has what came before alone, and the whole window. Their
      difference is what the model was told by what it should tell.
    - `first` [layer]: the column sum of the first token, the mean over heads and windows; `off` [layer] the
      mean distance of column sums from those of uniform causal attention; `clusters` and `alignment`
      [layer] of the states of a window; `untrained` the loss before training; `unigram` that of frequencies.

    `trained` says which loss was lowered: that of `all` places, or of the `last` one, which nothing is
    behind: by far fewer characters a step. Text: Python's help, the last twentieth held out.

    Source: sinks: Xiao et al., arXiv 2309.17453; causal Sinkhorn attention is ours.
    """

    attentions: tuple[str, ...] = field(default=KINDS[:2], metadata={"known": KINDS})
    """Attentions: softmax, sinkhorn with a causal mask, or prefixes, of as many plans as there are places:
    with length=16 as much work as both others with 32."""
    trainings: tuple[str, ...] = ("all", "last")
    """Whose loss is lowered."""
    starts: tuple[int, ...] = (0, 1, 2)
    """Seeds of weights and of what is drawn to train on."""
    rate: float = 3e-3
    """Largest learning rate of Adam."""
    steps: int = 1500
    """Steps of training."""
    batch: int = 16
    """Windows a step."""
    iterations: int = 5
    """Sinkhorn iterations after softmax."""
    d: int = 32
    """Dimension of the states; heads have a quarter of it."""
    depth: int = 3
    """Layers."""
    length: int = field(default=32, metadata={"least": 8})
    """Characters of a window."""
    windows: int = 512
    """Windows of held-out text."""

    GRID: ClassVar = {"attention": "attentions", "trained": "trainings", "start": "starts"}
    QUANTITIES: ClassVar = {
        "whole": "loss on held-out text, by place, nats",
        "prefix": "loss at a place where nothing behind it is given, nats",
        "window": "loss at the same place of a whole window, nats",
        "untrained": "loss before training, nats",
        "unigram": "loss of who knows frequencies alone, nats",
        "first": "attention that the first token draws",
        "off": "mean distance of column sums from those of uniform causal attention",
        "clusters": "single-linkage clusters of the characters of a window at an angle of .5",
        "alignment": "mean inner product of the directions of two characters of a window",
        "place": "characters before the one that is told",
        "seen": "characters before the one that is told, of the comparison",
        "trained": "places whose loss was lowered",
        "start": "number of the start",
        "layer": "layer",
    }

    def check(self) -> None:
        check_that(self.d % 4 == 0, "d that four heads share", self.d, "pass d=32")

    @property
    def seen(self) -> tuple[int, ...]:
        """Lengths of prefixes: the last one is the whole window."""
        n = self.length - 1
        return n // 4, n // 2, n

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        text, rest = parts_of_help()
        drawn = draw(rest, (self.windows,), self.length, self.seed)
        ids = jnp.asarray(drawn.ids, jnp.int32)
        seen = Batch(ids, jnp.asarray(drawn.hidden))
        kind = cell["attention"]
        iterations = None if kind == "softmax" else self.iterations
        seed, loss = self.seed + 1000 * cell["start"], TRAININGS[cell["trained"]]
        model = tiny_transformer(
            jax.random.key(seed), iterations, self.d, self.depth, longest=self.length, causal=True,
            prefixes=kind == "prefixes",
        )  # fmt: skip
        runs = train(model, text, self.steps, self.rate, self.batch, 1, seed, loss)
        first, last = (one.model for one in runs)
        whole = np.asarray(_losses(last, seen))
        alone = [_losses(last, Batch(ids[:, : k + 1], seen.hidden))[-1] for k in self.seen]
        future = Batch(drawn.ids, np.broadcast_to(np.arange(self.length) > 0, drawn.ids.shape))
        return xr.Dataset(
            {
                "whole": ("place", whole),
                "prefix": ("seen", np.asarray(alone)),
                "window": ("seen", whole[np.array(self.seen) - 1]),
                "untrained": ((), float(_losses(first, seen).mean())),
                "unigram": ((), unigram_loss(text, future)),
                **{name: ("layer", np.asarray(v)) for name, v in _states(last, ids).items()},
            },
            {
                "place": np.arange(1, self.length),
                "seen": list(self.seen),
                "layer": np.arange(self.depth),
            },
        )

    def tiny(self) -> "CausalCharacters":
        sizes = {"steps": 24, "batch": min(self.batch, 8), "d": 16, "depth": 2, "windows": 16}
        return replace(
            self, trainings=some_of(self.trainings, ("all",)), starts=self.starts[:1], **sizes
        )

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        # Logits of variance 1 have log sum exp = log V + 1/2 + O(1/V); frequent characters share theirs,
        # which is off by sqrt(sum p^2) = .25 a deviation.
        off = abs(dataset.untrained - (math.log(97) + 0.5)).max(skipna=False)
        fall = (dataset.whole.isel(place=-1) - dataset.untrained).max(skipna=False)
        told = np.abs(dataset.prefix - dataset.window)
        end = told.isel(seen=-1).max(skipna=False)
        claims = [
            Claim.at_most("loss at the start off log V + 1/2", off, 4 * 0.25, "normal logits"),
            Claim.at_most("change of the loss, largest", fall, 0.0, "training"),
            # The same numbers in single precision, summed in another order.
            Claim.close("told by what is behind the last place", end, 0, 1e-4, AHEAD),
        ]
        for kind, source in {"softmax": AHEAD, "prefixes": OF_PREFIX}.items():
            if kind in self.attentions:
                behind = told.sel(attention=kind).max(skipna=False)
                claims.append(
                    Claim.close(f"told by what is behind, {kind}", behind, 0, 1e-4, source)
                )
        if {*self.attentions} >= {"softmax", "sinkhorn"}:
            far = dataset.off.mean(["start", "layer", "trained"])
            share = far.sel(attention="sinkhorn") / far.sel(attention="softmax")
            name = "distance of columns from uniform ones, sinkhorn over softmax"
            claims.append(Claim.at_most(name, share, 1.0, SINKHORN))
        return claims


@eqx.filter_jit
def _losses(model: Transformer, seen: Batch) -> Array:
    return next_losses(model, seen)


@eqx.filter_jit
def _states(model: Transformer, ids: Array) -> dict[str, Array]:
    """What is measured of the states before each layer and of its attention, in the mean over windows."""

    def of_window(ids: Array) -> dict[str, Array]:
        states = model.states(ids[:-1])
        n = states.shape[1]
        uniform = jnp.cumsum(1 / jnp.arange(n, 0, -1, dtype=states.dtype))[::-1]
        units = states / jnp.linalg.norm(states, axis=-1, keepdims=True)
        columns = jnp.stack(
            [model.attention(k, states[k]).sum(axis=1).mean(axis=0) for k in range(model.depth)]
        )
        clusters = jax.vmap(lambda u: 1 + (merge_heights(u) > ANGLE).sum())(units[:-1])
        return {
            "first": columns[:, 0],
            "off": jnp.abs(columns - uniform).mean(axis=1),
            "clusters": clusters.astype(states.dtype),
            "alignment": jax.vmap(alignment)(units[:-1]),
        }

    return jax.tree.map(lambda a: a.mean(axis=0), jax.lax.map(of_window, ids))
