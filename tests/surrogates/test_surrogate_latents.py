"""What is measured of hidden states over layers, as data of documents."""

import numpy as np
import pytest
import xarray as xr
from editing import edited
from refusals import check_refused

from meanfield import latents, surrogates
from meanfield.surrogates.fits import series_of

LAYERS, TEXTS = 4, 2


class Words:
    """Logits that are the states."""

    def logits(self, x):
        return x


@pytest.fixture(scope="module")
def report():
    """The lens of two texts of five tokens in R^3, and the entropies that it has to have."""
    rng = np.random.default_rng(0)
    texts = [rng.normal(size=(LAYERS, 5, 3)) for _ in range(TEXTS)]
    logs = np.array(texts) - np.log(np.exp(texts).sum(axis=-1, keepdims=True))
    entropies = -(np.exp(logs) * logs).sum(axis=-1).mean(axis=-1)
    return latents.lens(Words(), [latents.Recording(each) for each in texts]), entropies


def test_entropies_of_texts_are_measurements(tmp_path, report):
    """Of each text under a condition of its own, which says where it starts; in bits."""
    found, exact = report
    rows = [{"id": f"text_{k}", "set": {"H": float(exact[k, 0] / np.log(2))}} for k in range(TEXTS)]
    model = edited(tmp_path, "E1", modeling__conditions=rows).model
    data = xr.Dataset({"y_H": found.entropy_each / np.log(2)}).rename(layer="l", text="condition")
    data = data.assign_coords(condition=[each["id"] for each in rows])
    first, second = series_of(model, data)
    assert [first.condition, second.condition] == ["text_0", "text_1"]
    np.testing.assert_array_equal(first.ts, np.arange(LAYERS))
    for series, entropies in zip((first, second), exact / np.log(2), strict=True):
        np.testing.assert_allclose(series.values["y_H"], entropies, rtol=1e-12)


def test_the_mean_over_texts_is_measured(report):
    found, exact = report
    data = xr.Dataset({"y_H": found.entropy / np.log(2)}).rename(layer="l")
    (series,) = series_of(surrogates.load("E1").model, data)
    np.testing.assert_allclose(series.values["y_H"], exact.mean(axis=0) / np.log(2), rtol=1e-12)


def test_other_units_and_layers_without_numbers_are_refused(report):
    found, model = report[0], surrogates.load("E1")
    data = xr.Dataset({"y_H": found.entropy}).rename(layer="l")
    check_refused(lambda: model.fit(data.drop_vars("l")), "assign its coordinate")
    check_refused(lambda: model.fit(data.rename(l="layer")), "rename its dimension")
    data.y_H.attrs["units"] = "nat"
    check_refused(lambda: model.fit(data), "expected y_H in bit, got 'nat'")
    for unit in ("bits", "1", "of words", 3):  # the same, none, and such as nobody knows
        data.y_H.attrs["units"] = unit
        assert len(series_of(model.model, data)) == 1
