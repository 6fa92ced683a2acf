"""`meanfield look`: an array of hidden states as a table, a CSV file and a figure."""

import csv

import matplotlib.image
import numpy as np

from meanfield.commands import main
from meanfield.commands.states._look import panels
from meanfield.io import unpack
from meanfield.latents import from_arrays, profile

STATES = np.random.default_rng(2).normal(size=(12, 5, 4))  # token, layer, dim


def test_an_array_becomes_a_table_a_file_and_a_figure(tmp_path, capsys):
    path, out = tmp_path / "states.npy", tmp_path / "out"
    np.save(path, STATES)
    assert main(["look", str(path), "--axes", "token layer dim", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "12 distinct, 4" in said and "white noise" in said and "alignment" in said
    report = profile(from_arrays(STATES, "token layer dim"))
    with (out / "profile.csv").open() as file:
        rows = [*csv.DictReader(file)]
    assert [row["layer"] for row in rows] == ["0", "1", "2", "3", "4"]
    assert float(rows[2]["alignment"]) == np.float64(f"{report.alignment[2].item():.8g}")
    assert float(rows[1]["wasserstein"]) == np.float64(f"{report.wasserstein[1].item():.8g}")
    assert rows[4]["wasserstein"] == "" == rows[1]["alignment_low"]  # the last layer; a single text
    assert float(rows[0]["clusters(scale=0.5)"]) == report.clusters.sel(layer=0, scale=0.5)
    np.testing.assert_array_equal(unpack((out / "profile.nc").read_bytes()).entropy, report.entropy)
    picture = matplotlib.image.imread(out / "profile.png")
    assert picture.std() > 0.05 and picture.shape[1] > 1000
    drawn = panels(report)
    low, high = drawn["cap entropy [nats] (uniform 0)"]["matched vMF"][
        :, 2:
    ].T  # a single text has none
    assert (low < high).all()


def test_what_cannot_be_looked_at_is_refused(tmp_path, capsys):
    path = tmp_path / "states.npy"
    np.save(path, STATES)
    assert main(["look", str(path)]) == 2
    assert "pass axes='layer token dim'" in capsys.readouterr().err
    assert main(["look", str(tmp_path / "absent.npy"), "--axes", "layer token dim"]) == 2
    assert "look at its name" in capsys.readouterr().err
    assert main(["look"]) == 2
    np.save(path, STATES[:5])
    assert main(["look", str(path), "--axes", "token layer dim", "--out", str(tmp_path)]) == 2
    assert "record longer texts" in capsys.readouterr().err
