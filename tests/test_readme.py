"""What the README and the tour show is so."""

import re
from pathlib import Path

import jax.numpy as jnp
import numpy as np

import meanfield as mf

README = Path(__file__).parents[1] / "README.md"
TOUR = README.with_name("TOUR.md")
FIRST, RING = (
    re.search(r"```python\n(.*?)```", path.read_text(), re.DOTALL)[1] for path in (README, TOUR)
)


def test_the_first_lines_run_and_tokens_cluster(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(FIRST, names)
    # Counts are integers, which must pass through the solver's buffers without a warning.
    counts = names["run"].values["clusters"].tolist()
    assert counts == sorted(counts, reverse=True) and counts[-1] < 10 < counts[0]
    assert capsys.readouterr().out and (tmp_path / "tokens.png").stat().st_size > 10_000
    dense = mf.simulate(names["flow"], names["x0"], jnp.array([0.0, 1.0])).final
    exec(RING, names)  # the same tokens around a ring of the devices that there are
    # Two orders of summation under one tolerance of the steps
    np.testing.assert_allclose(names["run"].final, dense, atol=1e-6)


def test_its_pictures_exist():
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", README.read_text())
    assert pictures and all((README.parent / picture).is_file() for picture in pictures)


def test_the_tour_leads_to_every_figure_once():
    linked = re.findall(r"\]\((paper_figs/fig_\w+\.py)\)", TOUR.read_text())
    there = (README.parent / "paper_figs").glob("fig_*.py")
    assert sorted(linked) == sorted(f"paper_figs/{path.name}" for path in there)
