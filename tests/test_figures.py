"""Every figure of papers, drawn from tiny studies; a new one is found by its name."""

from dataclasses import replace

import kept
import matplotlib.pyplot as plt
import numpy as np
import pytest
from figures_drawn import FIGURES, FOLDER, KEPT, LONG, module
from matplotlib.figure import Figure
from pictures import faults
from study_contract import check_result


@pytest.fixture(scope="module")
def drawn(shared):
    """The figure of a name and what it is drawn from: tests of one figure follow each other."""
    last: dict[str, tuple[Figure, dict]] = {}

    def get(name: str) -> tuple[Figure, dict]:
        if name not in last:
            last.clear()
            last[name] = _drawn(name, shared)
        return last[name]

    return get


def _drawn(name: str, shared) -> tuple[Figure, dict]:
    """A figure and what it is drawn from: where that takes long, results that are kept."""
    studies = _tiny(name)
    if name in LONG:
        results = kept.kept(name, studies)
    else:
        results = {label: shared(study) for label, study in studies.items()}
    with plt.style.context(FOLDER / "paper.mplstyle"):
        return module(name).draw(results), results


def _tiny(name: str) -> dict:
    return {label: study.tiny() for label, study in module(name).STUDIES.items()}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_labelled_full_and_true_to_its_data(name, drawn):
    figure, results = drawn(name)
    assert faults(figure, results) == []
    if hasattr(module(name), "animate"):
        film = module(name).animate(results)  # draws its first frame
        film._draw_was_started = True  # it warns of being left unseen
    plt.close("all")
    for label, study in _tiny(name).items():
        check_result(study, results[label])


@pytest.mark.slow
@pytest.mark.parametrize("name", LONG)
def test_what_is_kept_is_computed_still(name, shared, request):
    results = {label: shared(study) for label, study in _tiny(name).items()}
    for label, study in _tiny(name).items():
        check_result(study, results[label])
    if request.config.getoption("--keep") and not kept.is_kept(name, _tiny(name), results):
        kept.keep(name, _tiny(name), results)
    before = kept.kept(name, _tiny(name))
    assert {k: kept.form(r) for k, r in results.items()} == {
        k: kept.form(r) for k, r in before.items()
    }


def test_nothing_is_kept_that_no_figure_needs():
    assert {path.stem for path in KEPT.iterdir()} <= {*FIGURES}


def test_what_is_kept_is_of_these_parameters_words_and_units(monkeypatch):
    studies = _tiny("fig_gating")
    label, study = next(iter(studies.items()))
    with pytest.raises(AssertionError, match="asks something else now"):
        kept.kept("fig_gating", {**studies, label: replace(study, seed=study.seed + 1)})
    found = kept.kept("fig_gating", studies)[label]
    some = next(name for name in study.quantities() if name in found)
    monkeypatch.setattr(type(study), "QUANTITIES", {**study.QUANTITIES, some: "another thing [s]"})
    with pytest.raises(AssertionError, match="other words or units now"):
        kept.kept("fig_gating", studies)


def _titles(figure: Figure) -> list[str]:
    return [ax.get_title() for ax in figure.axes]


@pytest.mark.parametrize("name", ["fig_2312_10794_circle"])
def test_two_betas_are_two_runs(name, drawn):
    figure, results = drawn(name)
    assert {"SA, β = 4", "SA, β = 9"} <= {*_titles(figure)}
    runs = {float(r.beta): r.x for label, r in results.items() if label.startswith("flow")}
    assert float(abs(runs[4.0] - runs[9.0]).max()) > 0.1
    plt.close("all")


@pytest.mark.parametrize("name", ["fig_consensus"])
def test_consensus_shows_no_time_twice_and_names_the_gate(name, drawn):
    figure, results = drawn(name)
    times = [title for title in _titles(figure) if title.startswith("t =")]
    assert len(set(times)) == len(times) // 2  # a row alone and a row pulled
    assert "always" in results["drift"].gate and "early" not in results["drift"].gate
    texts = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert "pulled always" in texts
    plt.close("all")


@pytest.mark.parametrize("name", ["fig_2110_11773_heat_kernel"])
def test_negative_densities_are_marked_at_the_bar(name, drawn):
    figure, results = drawn(name)
    bars = [ax._colorbar for ax in figure.axes if getattr(ax, "_colorbar", None)]
    below = [float(one["map"].min()) < 0 for _, one in results["clouds"].groupby("time")]
    assert [bar.extend for bar in bars] == ["min" if b else "neither" for b in below]
    plt.close("all")


@pytest.mark.parametrize("name", ["fig_2312_10794_random_matrices"])
def test_diagrams_end_where_they_were_computed(name, drawn):
    figure, results = drawn(name)
    betas = results["layers"].beta.values
    panels = [ax for ax in figure.axes if ax.get_title()]
    assert panels and all(ax.get_ylim() == (betas[0], betas[-1]) for ax in panels)
    assert np.min(betas) > 0
    plt.close("all")
