from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Float
from scipy import optimize

from ...latents import Transformer
from ...latents.profiles import draws
from ...latents.training import draw, parts_of_help, trained
from ..machinery import Claim, check_that
from ._family import AbstractLatents, ids_of

KINDS = ("first", "own", "before")
SLOWEST, FASTEST = 1e-3, 10.0
RESAMPLES = 200
KNOWN = 0.4, 0.6
"""Rate and equilibrium of the shares that are made up."""
NOISE = 0.02


@dataclass(frozen=True, kw_only=True)
class AttentionRelaxation(AbstractLatents):
    """Does the attention on a token relax over the layers towards an equilibrium?

    The share a of attention, the mean over heads and rows of a text, as in the document E2 of
    `mf.surrogates`:

        da/dl = -rate (a - a_eq)

    from the share at the first layer of each text. Kinds of attention are that on the `first` token, by
    the others; on its `own` token; and on the one `before`. Rate and equilibrium are fitted to three texts
    of four. Of the others, `gain` [held_out] is the log density of a number over that by the better of two
    answers without depth, that shares stay as they are and that all are equal, and `explained` the share of
    their variance, text by text and layer by layer. `persistence` [layer] is the slope of shares on those of
    the first layer, over texts: by the equation e^{-rate l}, `persistence_fitted`, as differences between
    texts die at the rate at which the mean moves. `made_` are the same for shares that are made up.

    Without weights it is the transformer of hidden characters that comes with the package; recordings, which
    have no attention, are refused.

    What to expect: in its three layers attention does not relax. Shares of a layer do not follow from those
    of the layer before, the fitted rate runs to its largest, where equal shares at all layers but the first
    are as good an answer, and held-out texts are told no better. In the thirty layers of SmolLM2-135M that
    on the first token does, in tens of layers, and explains nearly half of what held-out texts vary; that
    on the own token and on the one before does not.
    """

    tokens: int = field(default=32, metadata={"least": 16})
    """Tokens of each text."""

    QUANTITIES: ClassVar = {
        "share": "share of attention",
        "rate": "rate of approach [1/layer]",
        "rate_low": "end of its interval [1/layer]",
        "rate_high": "end of its interval [1/layer]",
        "equilibrium": "share that layers tend to",
        "gain": "log density a number that relaxing gains on each other text",
        "explained": "share of the variance of held-out texts that is explained",
        "persistence": "slope of shares on those of the first layer, over texts",
        "persistence_fitted": "the same by the fitted rate",
        "made_rate": "rate that is found where shares relax [1/layer]",
        "made_equilibrium": "equilibrium that is found where shares relax",
        "made_gain": "log density a number that relaxing gains where shares relax",
        "kind": "attention on which token",
        "held_out": "held-out text",
    }

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        check_that(not self.recording, "weights, which attend", "a recording", "pass weights")
        model = self.model() if self.weights else trained()
        texts = self._ids(model, min(self.tokens, model.longest))
        share = np.stack([shares(model, ids) for ids in texts])
        layers = np.arange(float(model.depth))
        found = [compared(layers, share[..., k], self.seed) for k in range(len(KINDS))]
        made = compared(*made_up(self.seed), self.seed)
        dims = {"gain": ("kind", "held_out")}
        dims |= dict.fromkeys(("persistence", "persistence_fitted"), ("kind", "layer"))
        names = [*found[0]]
        return xr.Dataset(
            {
                "share": (("text", "layer", "kind"), share),
                **{n: (dims.get(n, ("kind",)), np.stack([f[n] for f in found])) for n in names},
                "made_rate": ((), made["rate"]),
                "made_equilibrium": ((), made["equilibrium"]),
                "made_gain": ((), made["gain"].mean()),
            },
            {"layer": np.arange(model.depth), "kind": [*KINDS]},
        )

    def _ids(self, model: Transformer, tokens: int) -> Sequence[np.ndarray]:
        if self.weights:
            return ids_of(model, self.texts, tokens, self.seed)
        return [*np.asarray(draw(parts_of_help()[1], (self.texts,), tokens, self.seed).ids)]

    def tiny(self) -> "AttentionRelaxation":
        return replace(self, texts=min(self.texts, 8))

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        source, (rate, end) = "exact solution of E2", KNOWN
        # Cramer and Rao: the slopes of the solution by both, at twelve texts of 21 layers; four errors.
        reach = 4 * made_errors(self.seed)
        return [
            Claim.close("rate where shares relax", dataset.made_rate, rate, reach[0], source),
            Claim.close(
                "equilibrium where shares relax", dataset.made_equilibrium, end, reach[1], source
            ),
            Claim.at_least("gain where shares relax", dataset.made_gain, 0.0, source),
        ]


def shares(model: Transformer, ids: np.ndarray) -> Float[np.ndarray, "layer kind"]:
    """Of each layer the mean attention on the first token, on the own one, and on the one before."""
    states = model.states(jnp.asarray(ids))
    found = []
    for layer in range(model.depth):
        weights = np.asarray(model.attention(layer, states[layer]), float)
        found.append(kinds_of(weights))
    return np.stack(found)


def kinds_of(weights: Float[np.ndarray, "heads n n"]) -> Float[np.ndarray, " kind"]:
    """The mean over heads and rows of weights in the first column, on the diagonal, and just below it."""
    first = weights[:, 1:, 0].mean()
    own, before = (np.diagonal(weights, -k, 1, 2).mean() for k in (0, 1))
    return np.array([first, own, before])


def solution(
    layers: np.ndarray, starts: np.ndarray, rate: float, end: float
) -> Float[np.ndarray, "text layer"]:
    """a = a_eq + (a_0 - a_eq) exp(-rate (l - l_0)) for each text."""
    return end + (starts[:, None] - end) * np.exp(-rate * (layers - layers[0]))


def made_up(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Layers, and shares of sixteen texts that relax, with noise but at the first layer."""
    rng, layers = np.random.default_rng(seed), np.arange(21.0)
    found = solution(layers, rng.uniform(0.05, 0.35, 16), *KNOWN)
    return layers, found + np.where(layers > 0, NOISE * rng.normal(size=found.shape), 0)


def made_errors(seed: int) -> Float[np.ndarray, "2"]:
    """Standard errors of rate and equilibrium of the shares that are made up, by the exact slopes."""
    layers, made = made_up(seed)
    starts = made[np.arange(16) % 4 != 3, 0]
    decay = np.exp(-KNOWN[0] * layers)
    by_rate = -layers * (starts[:, None] - KNOWN[1]) * decay
    slopes = np.stack([by_rate, np.broadcast_to(1 - decay, by_rate.shape)], axis=-1).reshape(-1, 2)
    return NOISE * np.sqrt(np.diag(np.linalg.inv(slopes.T @ slopes)))


def fitted(
    layers: np.ndarray, share: Float[np.ndarray, "text layer"], weights: np.ndarray | None = None
) -> tuple[float, float]:
    """Rate and equilibrium, from 0 to 1, by least squares from the shares at the first layer; `weights` of
    the texts. Given the rate the equilibrium is linear."""
    counted = (np.ones(len(share)) if weights is None else weights)[:, None]

    def linear(rates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        decay = np.exp(-rates[:, None, None] * (layers - layers[0]))
        rest, design = share - share[:, :1] * decay, counted * (1 - decay)
        end = np.sum(design * rest, (1, 2)) / np.sum(design * (1 - decay), (1, 2))
        end = np.clip(end, 0.0, 1.0)
        left = rest - end[:, None, None] * (1 - decay)
        return np.sum(counted * left**2, (1, 2)), end

    rates = np.geomspace(SLOWEST, FASTEST, 80)
    k = int(np.argmin(linear(rates)[0]))
    ends = np.log(rates[[max(k - 1, 0), min(k + 1, len(rates) - 1)]])
    best: Any = optimize.minimize_scalar(
        lambda u: linear(np.exp([u]))[0][0], bounds=ends, method="bounded"
    )
    return float(np.exp(best.x)), float(linear(np.exp([best.x]))[1][0])


def compared(layers: np.ndarray, share: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """The equation fitted to three texts of four, and what it tells of the others."""
    out = np.arange(len(share)) % 4 == 3
    rate, end = fitted(layers, share[~out])
    starts = share[:, :1]
    answers = solution(layers, starts[:, 0], rate, end), starts, share[~out, 1:].mean()
    scores = []
    for answer in answers:
        rest = (share - np.broadcast_to(answer, share.shape))[:, 1:]
        size = np.sqrt(np.mean(rest[~out] ** 2))
        scores.append((-0.5 * (rest[out] / size) ** 2 - np.log(size)).mean(axis=1))
    rest, whole = (share - answers[0])[out, 1:], share[out, 1:]
    again = [fitted(layers, share, row)[0] for row in draws(len(share), seed, RESAMPLES)]
    low, high = np.percentile(again, (2.5, 97.5))
    off = share - share.mean(axis=0)
    return {
        "rate": np.array(rate),
        "rate_low": np.array(low),
        "rate_high": np.array(high),
        "equilibrium": np.array(end),
        "gain": scores[0] - np.maximum(*scores[1:]),
        "explained": np.array(1 - np.sum(rest**2) / np.sum((whole - whole.mean()) ** 2)),
        "persistence": off[:, 0] @ off / np.sum(off[:, 0] ** 2),
        "persistence_fitted": np.exp(-rate * (layers - layers[0])),
    }
