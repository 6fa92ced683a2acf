from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import xarray as xr
from jaxtyping import Float
from scipy import optimize

from ...latents import lens
from ...latents.profiles import draws
from ..machinery import Claim, check_that
from ._family import AbstractLatents

SIGNS = {"adds": 1.0, "takes": -1.0}
SLOWEST, FASTEST = 1e-3, 3.0
RESAMPLES = 200
KNOWN = 0.1, 0.5, 0.02
"""Rate, floor and weight of the entropies that are made up, to see whether their sign is found."""
NOISE = 0.05


@dataclass(frozen=True, kw_only=True)
class SurpriseSign(AbstractLatents):
    """Does the surprise of a text add to the entropy of what layers predict, or take from it?

    The entropy H of the words that layer l names (`mf.latents.lens`, in bits) as in the documents E1 and
    E1_adding of `mf.surrogates`, with the surprise S of each text, minus the mean log probability of its
    next tokens by the last layer:

        dH/dl = -kappa (H - H_min) + sign gamma S,    gamma >= 0

    From the entry `first` of the layers on, the one after the embedding by default, both signs are fitted
    to three texts of four; `score` is the mean logarithm of the density of the others, `gain` [held_out]
    what adding gains on each text over taking, `gamma_signed` the weight where it may have either sign,
    with the ends of its bootstrap interval over texts. `made_` are the same for entropies made up with a
    surprise that adds. Without weights texts and model are random, and nothing is said about real ones;
    recordings alone, which have no words, are refused.

    What to expect: the entropies of SmolLM2-135M fall over most layers and rise over the last, which no
    relaxation does. Over all of them the equation explains nothing of held-out texts, no sign is told, and
    the one that takes fits best without any surprise; over the last layers alone the weight is positive,
    but held-out texts do not tell.
    """

    first: int = field(default=1, metadata={"least": 0})
    """The entry of the layers from which the equation is fitted."""

    QUANTITIES: ClassVar = {
        "entropy": "entropy of the words that a layer names [bit]",
        "surprise": "mean surprise of the next token [bit]",
        "score": "mean log density of held-out entropies",
        "rate": "rate of decay kappa [1/layer]",
        "floor": "floor H_min [bit]",
        "gamma": "weight of surprise, at least 0 [1/layer]",
        "gamma_signed": "weight of surprise of either sign [1/layer]",
        "gamma_signed_low": "end of its interval [1/layer]",
        "gamma_signed_high": "end of its interval [1/layer]",
        "gain": "log density a number that adding gains over taking, of each text",
        "explained": "share of the variance of held-out entropies that adding explains",
        "made_gamma": "weight of surprise that is found where it adds [1/layer]",
        "made_gain": "log density a number that adding gains where it adds",
        "sign": "what surprise does to entropy",
        "held_out": "held-out text",
    }

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        words = lens(self.model(), self.corpus(), seed=self.seed)
        entropy = words.entropy_each.values / np.log(2)
        surprise = words.loss_each.values[:, -1] / np.log(2)
        most = entropy.shape[1] - 3
        check_that(self.first <= most, f"at most {most} for first", self.first, "pass first=1")
        first = self.first
        layers = words.layer.values[first:].astype(float)
        found = _compared(layers, entropy[:, first:], surprise, self.seed)
        made = _compared(*made_up(self.seed), self.seed)
        return xr.Dataset(
            {
                "entropy": (("text", "layer"), entropy),
                "surprise": ("text", surprise),
                "made_gamma": ((), made["gamma_signed"][1]),
                "made_gain": ((), float(made["gain"][1].mean())),
                **found,
            },
            {"layer": words.layer.values, "sign": [*SIGNS]},
        )

    def tiny(self) -> "SurpriseSign":
        return replace(self, texts=min(self.texts, 8), tokens=min(self.tokens, 48))

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        weight, source = KNOWN[2], "exact solution of E1_adding"
        return [
            Claim.at_least("gain where surprise adds", dataset.made_gain, 0.0, source),
            Claim.close(
                "weight where surprise adds", dataset.made_gamma, weight, weight / 4, source
            ),
        ]


def solution(
    layers: np.ndarray,
    starts: np.ndarray,
    surprise: np.ndarray,
    rate: float,
    floor: float,
    gamma: float,
) -> Float[np.ndarray, "text layer"]:
    """H = H_inf + (H_0 - H_inf) exp(-kappa (l - l_0)), with H_inf = H_min + gamma S/kappa, for each text."""
    end = floor + gamma * surprise[:, None] / rate
    return end + (starts[:, None] - end) * np.exp(-rate * (layers - layers[0]))


def made_up(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Layers, and entropies and surprises of sixteen texts where surprise adds: the exact solution, with
    noise but at the first layer."""
    rng, layers = np.random.default_rng(seed), np.arange(21.0)
    starts, surprise = rng.uniform(5, 9, 16), rng.uniform(2, 6, 16)
    found = solution(layers, starts, surprise, *KNOWN)
    return layers, found + np.where(layers > 0, NOISE * rng.normal(size=found.shape), 0), surprise


def fitted(
    layers: np.ndarray,
    entropy: Float[np.ndarray, "text layer"],
    surprise: Float[np.ndarray, " text"],
    sign: float | None,
    weights: np.ndarray | None = None,
) -> tuple[float, float, float]:
    """Rate, floor and signed weight of surprise by least squares from the entropies at the first layer;
    the weight has this sign, or either. Given the rate the rest is linear. `weights` of the texts."""
    share = np.ones(len(entropy)) if weights is None else weights

    def linear(rate: float) -> tuple[float, float, float]:
        decay = np.exp(-rate * (layers - layers[0]))
        rest = entropy - entropy[:, :1] * decay
        design = np.stack(
            np.broadcast_arrays(1 - decay, surprise[:, None] * (1 - decay) / rate), -1
        )
        root = np.sqrt(share)[:, None]
        a, b = (design * root[..., None]).reshape(-1, 2), (rest * root).ravel()
        best = np.linalg.lstsq(a, b)[0]
        if sign is not None and best[1] * sign < 0:
            best = np.array([a[:, 0] @ b / (a[:, 0] @ a[:, 0]), 0.0])
        return float(np.sum((b - a @ best) ** 2)), float(best[0]), float(best[1])

    rates = np.geomspace(SLOWEST, FASTEST, 60)
    k = int(np.argmin([linear(each)[0] for each in rates]))
    ends = np.log(rates[[max(k - 1, 0), min(k + 1, len(rates) - 1)]])
    best: Any = optimize.minimize_scalar(
        lambda u: linear(float(np.exp(u)))[0], bounds=ends, method="bounded"
    )
    rate = float(np.exp(best.x))
    return rate, *linear(rate)[1:]


def _compared(
    layers: np.ndarray, entropy: np.ndarray, surprise: np.ndarray, seed: int
) -> dict[str, Any]:
    """Both signs fitted to three texts of four, and their densities of the others."""
    out = np.arange(len(entropy)) % 4 == 3
    rows, scores, rests = [], [], []
    for sign in SIGNS.values():
        found = fitted(layers, entropy[~out], surprise[~out], sign)
        rest = (entropy - solution(layers, entropy[:, 0], surprise, *found))[:, 1:]
        size = np.sqrt(np.mean(rest[~out] ** 2))
        rows.append(found)
        rests.append(rest[out])
        scores.append(-0.5 * (rest[out] / size) ** 2 - np.log(size * np.sqrt(2 * np.pi)))
    each = np.stack(scores).mean(axis=2)
    rate, floor, gamma = np.array(rows).T
    whole = fitted(layers, entropy, surprise, None)[2]
    drawn = draws(len(entropy), seed, RESAMPLES)
    spread = [fitted(layers, entropy, surprise, None, row)[2] for row in drawn]
    low, high = np.percentile(spread, (2.5, 97.5))
    spreads = np.sum((entropy[out][:, 1:] - entropy[out][:, 1:].mean()) ** 2)
    return {
        "score": ("sign", each.mean(axis=1)),
        "rate": ("sign", rate),
        "floor": ("sign", floor),
        "gamma": ("sign", gamma * np.array([*SIGNS.values()])),
        "gain": ("held_out", each[0] - each[1]),
        "explained": ((), 1 - float(np.sum(rests[0] ** 2) / spreads)),
        "gamma_signed": ((), whole),
        "gamma_signed_low": ((), float(low)),
        "gamma_signed_high": ((), float(high)),
    }
