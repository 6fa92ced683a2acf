"""A run ends in something to look at: a picture, a page, tables."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from PIL import Image
from toys import Powers

from meanfield import studies, viz
from meanfield.commands import main
from meanfield.io import Store
from meanfield.viz.overviews._layout import laid_out
from meanfield.viz.overviews._quantity import Cloud, Curves, Sheet, Spread


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """What a run of the toy left, without the picture."""
    monkeypatch.setattr(studies, "Powers", Powers, raising=False)
    store = Powers().store(tmp_path / "out")
    result = Powers().run(store)
    store.save_claims([])
    return tmp_path / "out", result


def test_a_run_leaves_a_picture_and_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(studies, "Powers", Powers, raising=False)
    monkeypatch.setattr("meanfield.commands._run.prepare", lambda *_: None)
    out = tmp_path / "out"
    assert main(["run", "powers", "--out", str(out), "--no-picture"]) == 0
    assert not (out / "picture.png").exists()
    assert main(["run", "powers", "--out", str(out)]) == 0
    assert f"a panel a variable in {out / 'picture.png'}" in capsys.readouterr().out
    with Image.open(out / "picture.png") as picture:
        assert picture.text["study"].startswith("powers-")
    monkeypatch.setattr(viz, "overview", lambda *_: 1 / 0)
    assert main(["run", "powers", "--out", str(out)]) == 0  # the numbers stand all the same
    assert "no picture: ZeroDivisionError" in capsys.readouterr().err


def test_plot_draws_into_the_kind_of_file_that_is_asked_for(folder, capsys):
    out, _ = folder
    assert main(["plot", str(out), "--out", str(out / "p.svg")]) == 0
    assert "<svg" in (out / "p.svg").read_text()
    assert main(["plot", str(out), "--out", str(out / "p.gif")]) == 2
    assert "ends in .png, .pdf or .svg, got p.gif" in capsys.readouterr().err
    assert main(["plot", str(out), "--figure", "four_ways"]) == 2
    assert "meanfield figures four_ways" in capsys.readouterr().err
    (out / "result.nc").unlink()
    assert main(["plot", str(out)]) == 2
    assert "expected a finished run" in capsys.readouterr().err


def test_a_view_says_what_passed_and_asks_for_nothing_outside(folder, capsys):
    out, _ = folder
    claims = [{"name": "a < b", "measured": 1.0, "expected": 2.0, "tolerance": 0.0,
               "source": "<b>", "relation": "==", "passed": False}]  # fmt: skip
    Store.open(out).save_claims(claims)
    assert main(["view", str(out)]) == 0
    text = (out / "view.html").read_text()
    assert "a &lt; b" in text and "&lt;b&gt;" in text and ">NO<" in text
    assert "default-src 'none'" in text and "http://" not in text and "@" not in text


def test_tables_have_all_digits_and_say_what_columns_are(folder, capsys):
    out, result = folder
    assert main(["export", str(out), "--csv"]) == 0
    table = pd.read_csv(out / "tables" / "base_exponent_draw.csv", dtype=str).astype(float)
    back = table.set_index(["base", "exponent", "draw"]).noise.to_xarray()
    assert (back == result.noise).all()  # bit by bit
    columns = pd.read_csv(out / "tables" / "columns.csv")
    assert {*columns.columns} == {"table", "column", "long_name", "units"}
    assert {"base", "exponent", "power"} <= {*columns[columns.table == "base_exponent"].column}


def test_parquet_keeps_units(folder):
    pq = pytest.importorskip("pyarrow.parquet")
    out, result = folder
    assert main(["export", str(out), "--parquet"]) == 0
    table = pq.read_table(out / "tables" / "base_exponent.parquet")
    assert table.schema.field("power").metadata[b"units"] == b"1"
    assert np.array_equal(table.column("power").to_numpy(), result.power.values.ravel())


def _drawn(**variables):
    return dict(laid_out(xr.Dataset(variables)))


def test_what_is_drawn_follows_the_dimensions():
    times, beta = ("time", np.arange(9.0)), ("beta", np.array([1.0, 2.0]))
    coords = {"time": times, "beta": beta, "kind": ["a", "b", "c"], "angle": np.arange(8.0)}
    dataset = xr.Dataset(
        {
            "energy": (("beta", "time"), np.ones((2, 9))),
            "count": (("realization", "time"), np.arange(11)[:, None] + np.zeros(9)),
            "order": ("kind", [1.0, 2.0, 3.0]),
            "order_error": ("kind", [0.1, 0.1, 0.1]),
            "rho": (("time", "angle"), np.ones((9, 8))),
            "x": (("time", "token", "axis"), np.tile([1.0, 0.0], (9, 4, 1))),
            "completed": ("beta", [True, True]),
            "alone": ((), 1.0),
        },
        coords,
    )
    found = dict(laid_out(dataset))
    assert {name: type(one) for name, one in found.items()} == {
        "energy": Curves, "count": Curves, "order": Spread, "rho": Sheet, "x": Cloud,
    }  # fmt: skip
    assert [line[-1] for line in found["energy"].lines] == ["1", "2"]
    # of 0, 1, ..., 10: the median, and a tenth of the way from both ends
    _, mid, low, high, _ = found["count"].lines[0]
    assert (mid[0], low[0], high[0]) == (5, 1, 9)
    assert found["count"].legend == "median, 10-90 % of 11"
    assert np.allclose(found["order"].high - found["order"].mid, 0.2)
    assert found["rho"].across == "angle"
    assert found["x"].points.shape == (4, 2)


def test_times_that_fall_are_no_axis():
    """When each of several runs ended, in the order of the runs: no curve goes along that."""
    saved = {"time": ("save", np.arange(9.0) / 2), "energy": ("save", np.ones(9))}
    np.testing.assert_array_equal(laid_out_first(saved), np.arange(9) / 2)


def test_what_runs_came_to_is_drawn_as_shares_of_them():
    # Three of four runs end at 1, 2 and 4, and the one at 3 was ended: 3/4, 1/2, 1/2 and none go on.
    times, ended = [4.0, 2.0, 3.0, 1.0], [True, True, False, True]
    found = _drawn(time=("run", times), escaped=("run", ended), path=("run", [2.0, 8.0, 4.0, 4.0]))
    assert [*found] == ["time", "path"]
    x, share, *_ = found["time"].lines[0]
    np.testing.assert_array_equal(x, [0, 1, 1, 2, 2, 3, 3, 4, 4])
    np.testing.assert_allclose(share, [1, 1, 0.75, 0.75, 0.5, 0.5, 0.5, 0.5, 0], atol=1e-15)
    x, share, *_ = found["path"].lines[0]
    np.testing.assert_array_equal(x, [2, 2, 2, 4, 4, 4, 4, 8, 8])
    np.testing.assert_allclose(share, [0, 0, 0.25, 0.25, 0.5, 0.5, 0.75, 0.75, 1])
    assert found["time"].up == "share of 4 runs that go on"
    # Of several sizes one curve each; without a word of who was ended, all ended by themselves.
    two = _drawn(time=(("n", "run"), [times, [1.0, 2.0, 3.0, 0.5]]))["time"].lines
    assert [line[1][-1] for line in two] == [0, 0] and [line[-1] for line in two] == ["0", "1"]


def laid_out_first(variables):
    """Where the first curve of the only panel stands."""
    ((_, found),) = laid_out(xr.Dataset(variables))
    return found.lines[0][0]


def test_axes_are_logarithmic_where_numbers_are_spaced_so():
    found = _drawn(
        error=("n", 10.0 ** -np.arange(6)), small=("n", np.linspace(1.0, 2.0, 6)),
    )  # fmt: skip
    assert found["error"].yscale == "log"
    assert found["small"].yscale == "linear"
    powers = xr.Dataset({"a": ("n", np.ones(5))}, {"n": 2 ** np.arange(5)})
    assert dict(laid_out(powers))["a"].xscale == "log"
