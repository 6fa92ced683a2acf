from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx
import xarray as xr
from jaxtyping import Array, Float, Int

from ...latents import Transformer, read, trained
from ..machinery import AbstractCellwiseStudy, Claim, check_that, some_of

TEXT, ASKED = "The statement returns the value of an expression"[:32], 16
HIDDEN = ((16,), (16,), (13, 14, 15, 16, 17, 18))
"""Characters that each of three readers of the models that come with the package does not see."""
PROMPTS = ("The weather today is", "I think that the weather is", "They say today will be")
"""What three copies of a model of weights that are given read."""
DRAWS = 8
_PAST_THE_END = 0
"""A token behind the last one of a shorter text, which no causal model looks at."""


class Reader(NamedTuple):
    """A transformer, what it reads, and the place of the token that it is asked for."""

    model: Transformer
    ids: Int[Array, " n"]
    place: int


class Alike(NamedTuple):
    """Readers of one model, with texts of one length: one program runs them side by side.

    `before`: states before each layer without pushes, where tokens do not see those behind them: pushes of
    a token then change nothing before it, and it alone has to be followed.
    """

    model: Transformer
    ids: Int[Array, "some n"]
    places: Int[Array, " some"]
    numbers: Int[Array, " some"]
    before: Float[Array, "some layers n d"] | None


@dataclass(frozen=True, kw_only=True)
class SteeredTransformers(AbstractCellwiseStudy):
    """Three transformers that are pushed until they agree on a token, with the least effort.

        cost = sum_i sum_l |u_il|^2/(2 |x_il|^2 N) + weight JS(p_1, ..., p_N)

    u_il is added to the state x_il of reader i, at the place of the token that is asked for, before its
    layer l; p_i are the distributions of that token, JS their Jensen-Shannon divergence, H(mean p) -
    mean H(p) <= log N, in nats. As all share JS, the best pushes are an equilibrium too: of models
    of which each pays for its own pushes and `weight` N times JS.

    By default two of the small transformers that come with the package, of softmax and Sinkhorn
    attention, are asked for a hidden character, and the first once more, with its neighbours hidden too.
    `source`, a file that `mf.latents.read` reads, has three copies of a model continue three beginnings.

    Over (kind, weight): `divergence`, `effort` and `cost` of pushes before every layer (always), before
    one layer (push l), and of random directions as long as the first (random). `residual` says how far
    u = -weight grad JS is from true. Pushes know the weights of all models, and the token that is asked
    for: what they show is how far the models are from agreement, not how they would find it.

    Source: ours; Subramani, Suresh, Peters, arXiv 2205.05124, for steering by vectors.
    """

    weights: tuple[float, ...] = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
    """Weights of the divergence."""
    source: str = ""
    """A file of weights; those that come with the package if it is empty."""
    steps: int = field(default=200, metadata={"least": 2})
    """Of the search, at most."""

    GRID: ClassVar = {"weight": "weights"}
    QUANTITIES: ClassVar = {
        "divergence": "Jensen-Shannon divergence [nat]",
        "effort": "sum of squares of pushes, of their states",
        "cost": "effort/2 + weight times divergence",
        "idle": "Jensen-Shannon divergence without pushes [nat]",
        "residual": "distance from the optimality condition",
        "kind": "which pushes",
        "weight": "weight of the divergence",
    }

    def check(self) -> None:
        known = isinstance(self.source, str) and (not self.source or Path(self.source).exists())
        check_that(known, "a file that exists for source", repr(self.source)[:60], "pass its name")

    def tiny(self) -> "SteeredTransformers":
        return replace(self, weights=some_of(self.weights, (0.1,)))

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        readers, weight = _alike(_readers(self.source)), jnp.asarray(cell["weight"], jnp.float32)
        sizes = _sizes(readers)
        depth, d = sizes.shape[1], readers[0].model.d
        still = jnp.zeros((*sizes.shape, d), jnp.float32)
        idle = _measured(readers, sizes, still, weight)[1]
        found = {}
        for name, layers in _kinds(depth).items():
            open_ = jnp.asarray([layer in layers for layer in range(depth)], jnp.float32)
            # The best of single pushes is where pushes before all layers begin.
            begun = min(found.values(), key=lambda one: one[1])[0] if name == "always" else still
            best, *numbers = _least(readers, sizes, open_, weight, begun, self.steps)
            found[name] = (best, *map(float, numbers))
        best = found["always"]
        keys = jax.random.split(self.key(cell), DRAWS)
        blind = [_random(readers, sizes, best[0], weight, key) for key in keys]
        found["random"] = (best[0], *np.mean(blind, axis=0), np.nan)
        numbers = ("cost", "divergence", "effort", "residual")
        columns = zip(*(one[1:] for one in found.values()), strict=True)
        made = {
            name: ("kind", np.asarray(column, float))
            for name, column in zip(numbers, columns, strict=True)
        }
        return xr.Dataset({**made, "idle": ((), idle)}, {"kind": list(found)})

    def claims_at(self, cell: dict[str, Any], one: xr.Dataset) -> list[Claim]:
        claims = []
        weight = cell["weight"]
        where = f"weight {weight:g}"
        always, rest = one.sel(kind="always"), one.drop_sel(kind=["always", "random"])
        # Costs are in float32.
        small = 1e-5 * weight
        title, source = (
            f"{where}: pushes always over the best single one",
            "one of them is none",
        )
        over = always.cost - rest.cost.min()
        claims.append(Claim.at_most(title, over, 0, source, small))
        title = f"{where}: the cost of pushes over that of none"
        over = rest.cost.max() - weight * one.idle
        claims.append(Claim.at_most(title, over, 0, "no push is a push", small))
        title = f"{where}: residual of u = -weight grad JS"
        claims.append(Claim.at_most(title, always.residual, 0, "first order condition", 0.05))
        title = f"{where}: divergence of random pushes over that of the best"
        ratio = one.divergence.sel(kind="random") / always.divergence
        claims.append(Claim.at_least(title, ratio, 1, "they are the best", 0))
        return claims


def _kinds(depth: int) -> dict[str, tuple[int, ...]]:
    """The layers before which there are pushes: the first, a middle, the last, all."""
    single = sorted({0, depth // 2, depth - 1})
    return {**{f"push {layer}": (layer,) for layer in single}, "always": (*range(depth),)}


def _readers(source: str) -> list[Reader]:
    if source:
        model = read(source)
        ids = [model.encode(prompt) for prompt in PROMPTS]
        return [Reader(model, jnp.asarray(one), len(one) - 1) for one in ids]
    models: Any = {kind: trained(kind) for kind in ("softmax", "sinkhorn")}
    readers = []
    for kind, hidden in zip(("softmax", "sinkhorn", "softmax"), HIDDEN, strict=True):
        ids = np.array(models[kind].encode(TEXT))
        ids[list(hidden)] = models[kind].tokenizer.mask
        readers.append(Reader(models[kind], jnp.asarray(ids), ASKED))
    return readers


def _alike(readers: list[Reader]) -> tuple[Alike, ...]:
    """Readers by model and length; where tokens do not see those behind, shorter texts are filled up."""
    longest = max(len(one.ids) for one in readers)
    groups: dict[tuple[int, int], list[int]] = {}
    for i, one in enumerate(readers):
        length = 0 if _blind(one.model) else len(one.ids)
        groups.setdefault((id(one.model), length), []).append(i)
    made = []
    for (_, length), numbers in groups.items():
        some = [readers[i] for i in numbers]
        ends = [(0, (length or longest) - len(one.ids)) for one in some]
        ids = [
            jnp.pad(one.ids, end, constant_values=_PAST_THE_END)
            for one, end in zip(some, ends, strict=True)
        ]
        model, ids = some[0].model, jnp.stack(ids)
        before = _before(model, ids) if _blind(model) else None
        places = jnp.asarray([one.place for one in some])
        made.append(Alike(model, ids, places, jnp.asarray(numbers), before))
    return tuple(made)


def _blind(model: Transformer) -> bool:
    """Whether tokens do not see those behind them."""
    return model.blocks.heads.causal and model.blocks.heads.iterations is None


@eqx.filter_jit
def _before(model: Transformer, ids: Int[Array, "some n"]) -> Float[Array, "some layers n d"]:
    return jax.vmap(lambda one: model.states(one)[:-1])(ids)


def _sizes(readers: tuple[Alike, ...]) -> Float[Array, "readers layers"]:
    """The lengths of the states that are pushed."""
    rows = []
    for group in readers:
        states = _before(group.model, group.ids) if group.before is None else group.before
        rows.append(jax.vmap(lambda one, place: one[:, place])(states, group.places))
    order = jnp.argsort(jnp.concatenate([group.numbers for group in readers]))
    return jnp.linalg.norm(jnp.concatenate(rows)[order], axis=-1)


def _logits(model: Transformer, ids, place, pushes: Float[Array, "layers d"], before):
    """Those of the token at the place, of each of the vocabulary."""
    blocks, rest = eqx.partition(model.blocks, eqx.is_array)

    def layer(x, one):
        block, push = one
        return eqx.combine(block, rest)(x.at[place].add(push)).after, None

    def row(x, one):
        block, push, others = one
        return eqx.combine(block, rest).row(others.at[place].set(x + push), place), None

    with jax.default_matmul_precision("highest"):
        if before is None:
            x = jax.lax.scan(layer, model.embed(ids), (blocks, pushes))[0][place]
        else:
            x = jax.lax.scan(row, before[0, place], (blocks, pushes, before))[0]
    return model.logits(x[None])[0]


def _divergence(readers: tuple[Alike, ...], pushes: Float[Array, "readers layers d"]):
    """H(mean p) - mean H(p), from logarithms."""
    own = lambda model: jax.vmap(lambda *one: jax.nn.log_softmax(_logits(model, *one)))
    logs = [own(one.model)(one.ids, one.places, pushes[one.numbers], one.before) for one in readers]
    logs = jnp.concatenate(logs)
    mean = jax.nn.logsumexp(logs, axis=0) - jnp.log(jnp.asarray(len(logs), logs.dtype))
    return jnp.sum(jnp.exp(logs) * (logs - mean), axis=1).mean()


@eqx.filter_jit
def _measured(readers, sizes, pushes, weight):
    """Cost, divergence and effort of pushes in units of the states that they are added to."""
    divergence = _divergence(readers, pushes * sizes[..., None])
    effort = jnp.sum(pushes**2) / len(pushes)
    return effort / 2 + weight * divergence, divergence, effort


@eqx.filter_jit
def _least(readers, sizes, open_, weight, begun, steps: int):
    """The best pushes before the layers that are open, their numbers, and how far from optimal they are."""
    # The search keeps its history in the default precision; models are in float32.
    wide = jnp.zeros(()).dtype
    masked = lambda u: u.astype(sizes.dtype) * open_[:, None]
    cost = lambda u, _: _measured(readers, sizes, masked(u), weight)[0].astype(wide)
    method = optx.LBFGS(rtol=1e-5, atol=1e-7)
    found = optx.minimise(cost, method, begun.astype(wide), max_steps=steps, throw=False)
    best = masked(found.value)
    slope = jax.grad(lambda u: cost(u, None))(best)
    residual = jnp.linalg.norm(slope) / (jnp.linalg.norm(best) / len(best))
    return best, *_measured(readers, sizes, best, weight), residual


def _random(readers, sizes, best, weight, key) -> list[float]:
    """Numbers of random directions of the lengths of the best pushes."""
    drawn = jax.random.normal(key, best.shape, best.dtype)
    unit = drawn / jnp.linalg.norm(drawn, axis=-1, keepdims=True)
    pushes = unit * jnp.linalg.norm(best, axis=-1, keepdims=True)
    return [float(number) for number in _measured(readers, sizes, pushes, weight)]
