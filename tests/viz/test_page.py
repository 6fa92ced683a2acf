"""The page's data: what Python packs is what it was given; bad input is refused with a remedy."""

import html
import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
from refusals import check_refused
from runs import gathering, merges_of

from meanfield import viz
from meanfield.viz.pages._pack import SCALE, packed, packed_range, unpacked
from meanfield.viz.pages._scene import MOST, cloud_of

TS, X = gathering()


def data_of(page):
    """The data in a page's text."""
    (found,) = re.findall(r'type="application/json">(.*?)</script>', page.text, re.DOTALL)
    return json.loads(found)


def test_packing_is_right_to_half_a_step():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (7, 5, 3))
    assert np.abs(unpacked(packed(x)) - x).max() <= 0.5 / SCALE * (1 + 1e-9)
    # Jumps from end to end are more than sixteen bits hold: they wrap around and back.
    jumps = np.where(rng.random((50, 4)) < 0.5, -1.0, 1.0)
    np.testing.assert_array_equal(unpacked(packed(jumps)), jumps)
    values = rng.uniform(300, 4000, (6, 4))
    field = packed_range(values)
    assert np.abs(unpacked(field) - values).max() <= np.ptp(values) / 4 / SCALE * (1 + 1e-6)
    np.testing.assert_array_equal(unpacked(packed_range(np.full((2, 3), 7.0))), 7)


def test_a_page_holds_its_run_in_little_space():
    ts, x = gathering(n=500, times=200, clusters=4)
    page = viz.page(None, ts, x, values={"energy": ts**2}, merges=merges_of(x, ts))
    assert len(page.text) < 400_000
    data = data_of(page)
    assert np.abs(unpacked(data["x"]) - x).max() < 2e-5
    np.testing.assert_allclose(data["curves"]["energy"], ts**2, rtol=1e-5)
    assert data["w"] is None and data["n"] == 500 and len(data["tree"]["children"]) == 496


def test_no_address_is_in_a_page(tmp_path):
    page = viz.page(tmp_path / "a.html", TS, X)
    assert (tmp_path / "a.html").read_text() == page.text
    assert "default-src 'none'" in page.text and "connect-src" not in page.text
    assert not re.findall(r"https?:|//cdn|@import|src=[\"']", page.text)
    assert "@DATA@" not in page.text and "@STYLE@" not in page.text


def test_titles_and_facts_stay_text():
    page = viz.page(None, TS, X, title="a </script><b> & @DATA@", facts="</script><i>")
    assert "<b>" not in page.text and "<i>" not in page.text
    assert "a &lt;/script&gt;&lt;b&gt; &amp; @DATA@" in page.text
    assert data_of(page)["facts"] == "</script><i>"


def test_a_notebook_shows_a_page_in_a_frame_of_its_own():
    shown = viz.page(None, TS, X)._repr_html_()
    assert (
        shown.startswith("<iframe srcdoc=") and 'sandbox="allow-scripts allow-downloads"' in shown
    )
    inner = re.search(r'srcdoc="([^"]*)"', shown)
    assert inner and html.unescape(inner[1]).startswith("<!doctype html>")


def test_a_run_is_a_source(tmp_path):
    values = {"x": X, "energy": TS, "speed": np.ones(X.shape[:2]), "pairs": np.ones((20, 3, 3))}
    run = SimpleNamespace(ts=TS, values=values, merges=merges_of(X, TS))
    data = data_of(viz.page(run, tmp_path / "run.html", values={"more": TS}))
    assert {*data["curves"]} == {"energy", "more"} and {*data["colours"]} == {"speed"}
    assert (tmp_path / "run.html").exists() and data["tree"]
    check_refused(lambda: viz.page(SimpleNamespace(ts=TS, values={"energy": TS}), None), "observe=")


def test_more_dimensions_are_seen_in_principal_axes():
    ts, x = gathering(d=16, clusters=4)
    data = data_of(viz.page(None, ts, x))
    _, singular, axes = np.linalg.svd(x.reshape(-1, 16))
    seen = unpacked(data["x"])
    assert seen.shape == (20, 60, 6)
    # Up to the sign of an axis.
    assert np.abs(np.abs(seen) - np.abs(x @ axes[:6].T)).max() < 2e-5
    shares = singular**2 / (singular**2).sum()
    assert data["axes"][0] == f"axis 1 ({100 * shares[0]:.1f} %)"


def test_of_many_tokens_some_are_drawn():
    n = MOST + 700
    x = np.tile(np.eye(3)[[0, 1, 1]], (n // 3, 1))[None].repeat(2, axis=0)
    w = np.tile([4.0, 1, 1], n // 3)
    merges = merges_of(X, TS)
    cloud = cloud_of([0, 1], x, w)
    assert len(cloud.chosen) == MOST == len({*cloud.chosen.tolist()}) and cloud.n == len(x[0])
    np.testing.assert_array_equal(cloud.x[0], x[0][cloud.chosen])
    # A third of the tokens holds two thirds of the mass; 5,000 draws of 5,700 leave .003 of chance.
    assert abs(cloud.w[cloud.x[0, :, 0] == 1].sum() - 2 / 3) < 0.015
    assert abs(cloud.w.sum() - 1) < 1e-12
    data = data_of(viz.page(None, [0, 1], x, models=np.arange(len(w)) % 2, merges=merges))
    assert data["n"] == len(w) and len(data["models"]["of"]) == MOST
    assert len(data["tree"]["children"]) < len(merges.time)


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("times", [1, 2])
def test_one_token_and_one_time(n, times):
    data = data_of(viz.page(None, np.arange(times), np.tile(np.eye(3)[:n], (times, 1, 1))))
    assert data["x"]["shape"] == [times, n, 3]


def test_gaps_of_a_curve_are_gaps_and_names_of_models_are_kept():
    gap = np.where(TS > 1, np.nan, TS)
    data = data_of(viz.page(None, TS, X, values={"q": gap}, models=["b", "a"] * 30))
    assert data["curves"]["q"][-1] is None and data["curves"]["q"][0] == 0
    assert data["models"]["names"] == ["a", "b"] and data["models"]["of"][:2] == [1, 0]


BAD = X.copy()
BAD[3, 2, 1] = np.nan


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        ({"x": BAD}, "cut the run before"),
        ({"x": 2 * X}, "normalize them with Sphere"),
        ({"x": X[0]}, "stack the states"),
        ({"x": X[:, :0]}, "stack the states"),
        ({"x": X[..., :1]}, "two or more dimensions"),
        ({"ts": TS[:-1]}, "one time a state"),
        ({"ts": TS[::-1]}, "sort them"),
        ({"ts": None}, "pass page"),
        ({"x": None}, "pass page"),
        ({"w": np.ones(3)}, "one weight a point"),
        ({"w": np.zeros(60)}, "not all 0"),
        ({"values": {"e": TS[1:]}}, "one value a time"),
        ({"values": {"e": np.full((20, 60), np.nan)}}, "remove or replace"),
        ({"models": [1, 2]}, "one integer or text a token"),
        ({"merges": 3}, "pass run.merges"),
        ({"merges": merges_of(*gathering(n=90)[::-1])}, "of the same run"),
        ({"near": 0.0}, "expected near > 0"),
        ({"source": 3}, "a file or a run"),
    ],
)
def test_bad_input_is_refused_with_a_remedy(arguments, remedy):
    check_refused(lambda: viz.page(**{"source": None, "ts": TS, "x": X, **arguments}), remedy)
