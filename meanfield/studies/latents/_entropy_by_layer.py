from dataclasses import dataclass, replace
from typing import Any, ClassVar

import equinox as eqx
import numpy as np
import xarray as xr
from jaxtyping import Array

from ..._typing import Points
from ...geometry import Sphere
from ...latents import Recording, lens, profile
from ...latents.profiles import draws
from ...observables import inner_product_histogram
from ..machinery import Claim
from ._family import NOISE_FLOOR, AbstractLatents

BINS = 40
MEASURED = "measured: SmolLM2-135M, prototype"


@dataclass(frozen=True, kw_only=True)
class EntropyByLayer(AbstractLatents):
    """Entropy, dimension, transport and speeds of hidden states over the layers, with intervals.

    The variables are those of `mf.latents.profile`; where there are weights, those of `mf.latents.lens`
    as well, with `lens_` before their names. `peak_entropy` and `peak_dimension` are the layers at which
    the means over texts are largest, the embedding aside, with the ends of their bootstrap intervals;
    the entropy is that about the mean, since that of raw directions follows their common one. `histogram` and
    `histogram_centred` [layer, bin] are those of the inner products of the first text.
    """

    QUANTITIES: ClassVar = {
        "bin": "inner product",
        "histogram": "share of inner products",
        "histogram_centred": "share of inner products, about the mean",
        "scale": "angle of linkage [rad]",
    }

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        texts = self.corpus()
        report = profile(texts, seed=self.seed)
        if self.weights or not self.recording:
            words = lens(self.model(), texts, seed=self.seed)
            report = report.merge(words.rename({name: f"lens_{name}" for name in words.data_vars}))
        peaks = {
            f"peak_{k}{end}": ((), value, {"long_name": f"layer of the largest {k}"})
            for k, name in (("entropy", "entropy_centred"), ("dimension", "dimension"))
            for end, value in zip(
                ("", "_low", "_high"), _peak(report, name, self.seed), strict=True
            )
        }
        products = _histograms(texts[0], self.kept()[0])
        return report.assign(peaks | products).assign_coords(
            bin=(np.arange(BINS) + 0.5) * 2 / BINS - 1
        )

    def tiny(self) -> "EntropyByLayer":
        return replace(self, texts=min(self.texts, 3), tokens=min(self.tokens, 48))

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        off = abs(float(dataset.entropy_uniform)) / float(dataset.entropy_uniform_error)
        claims = [
            # Four deviations: unbiased at every n and d.
            Claim.at_most("uniform reference off 0, in standard errors", off, 4.0, "exact caps"),
        ]
        if "lens_divergence" in dataset:
            last = abs(float(dataset.lens_divergence[-1]))
            claims.append(Claim.at_most("last lens: divergence", last, 1e-6, "definition"))
            # Of real words, longer embeddings of almost the same direction outdo some of their own.
            least, tied = 0.5 if self.real else 0.9, "tied embeddings: a state names itself"
            own = dataset.lens_own[0]
            claims.append(Claim.at_least("lens at layer 0: own token", own, least, tied))
        return claims + (self._real(dataset) if self.real else [])

    def _real(self, dataset: xr.Dataset) -> list[Claim]:
        depth = float(dataset.layer[-1])
        steps = dataset.identity.where(dataset.step >= 3, drop=True).min(skipna=False)
        entropy = dataset.entropy_centred
        top, place = entropy.max(skipna=False), dataset.peak_dimension / depth
        claims = [
            Claim.at_least("identity is optimal, layers from 3 on", steps, 0.99, MEASURED),
            Claim.at_least("dimension of layers peaks beyond .5 of depth", place, 0.5, MEASURED),
            Claim.at_most("dimension of layers peaks before .85 of depth", place, 0.85, MEASURED),
            Claim.at_least("entropy rises to its peak", top - entropy[0], 0.0, MEASURED),
            Claim.at_least("entropy falls from its peak", top - entropy[-1], 0.0, MEASURED),
        ]
        if dataset.sizes["text"] < NOISE_FLOOR:
            return claims
        inside = float(dataset.peak_entropy_low > 1 and dataset.peak_entropy_high < depth)
        return [*claims, Claim.holds("peak of entropy is inside, at 95 %", inside, MEASURED)]


def _peak(report: xr.Dataset, name: str, seed: int) -> list[float]:
    """The layer of the largest mean after the embedding, and the ends of its interval over texts."""
    each, layers = report[f"{name}_each"].values[:, 1:], report.layer.values[1:]
    means = draws(len(each), seed) @ each
    low, high = np.percentile(layers[means.argmax(axis=1)], (2.5, 97.5))
    return [float(layers[each.mean(axis=0).argmax()]), float(low), float(high)]


def _histograms(text: Recording, rows: np.ndarray) -> dict[str, Any]:
    """Of the inner products of the directions of these tokens, and of those about their mean."""
    kept = [_histogram(text.cloud(entry)[rows]) for entry in range(len(text.states))]
    return {
        name: (("layer", "bin"), np.stack([np.asarray(one[k]) for one in kept]))
        for k, name in enumerate(("histogram", "histogram_centred"))
    }


@eqx.filter_jit
def _histogram(x: Points) -> tuple[Array, Array]:
    sphere = Sphere(x.shape[1])
    u = sphere.project(x)
    c = sphere.project(u - u.mean(axis=0))
    return inner_product_histogram(u, BINS), inner_product_histogram(c, BINS)
