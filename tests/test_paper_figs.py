import json
import sys
from types import ModuleType

import jax
import matplotlib.pyplot as plt
import pytest
from matplotlib.animation import ArtistAnimation
from PIL import Image
from toys import Powers

import paper_figs.__main__ as command


def _figure(**attributes) -> ModuleType:
    module = ModuleType("paper_figs.fig_toy", "Powers of two.\n\nMore about them.")

    def draw(results):
        fig, ax = plt.subplots()
        ax.plot(results["low"].power.sel(base=2.0))
        return fig

    vars(module).update({"draw": draw, "STUDIES": {"low": Powers()}} | attributes)
    return module


@pytest.fixture
def figures(monkeypatch, tmp_path):
    """A folder of toy figures: call it with modules by name."""
    cache = jax.config.values["jax_compilation_cache_dir"]

    def put(**modules):
        (tmp_path / "paper.mplstyle").write_text("savefig.dpi: 50\n")
        for name, module in modules.items():
            (tmp_path / f"{name}.py").touch()
            monkeypatch.setitem(sys.modules, f"paper_figs.{name}", module)
        monkeypatch.setattr(command, "HERE", tmp_path)

    yield put
    jax.config.update("jax_compilation_cache_dir", cache)


def test_figures_are_saved_with_their_provenance(figures, tmp_path, capsys):
    figures(fig_toy=_figure())
    out = tmp_path / "out"
    assert command.main(["toy", "--tiny", "--out", str(out)]) == 0
    assert "arithmetic" in capsys.readouterr().out
    with Image.open(out / "fig_toy.png") as png:
        assert png.text["study"].startswith("powers-")
        assert png.text["version_jax"] == jax.__version__
        assert png.width == 320  # 6.4 in at the style's 50 dpi
    assert (out / "fig_toy.pdf").read_bytes().startswith(b"%PDF")
    claims = json.loads((out / "claims.json").read_text())
    assert [claim["name"] for claim in claims] == ["2^2", "2^2 at most"]
    assert (out / claims[0]["study"] / "result.nc").exists()


def test_a_study_that_two_figures_share_is_computed_once(figures, tmp_path):
    log = tmp_path / "log"
    one = {"low": Powers(log=str(log))}
    figures(fig_a=_figure(STUDIES=one), fig_b=_figure(STUDIES=one))
    out = tmp_path / "out"
    assert command.main(["--out", str(out)]) == 0
    assert len(log.read_text().split()) == 6
    assert len(json.loads((out / "claims.json").read_text())) == 2


def test_the_demo_leaves_out_figures_without_one(figures, tmp_path):
    demo = _figure(DEMO={"low": Powers(exponents=(1, 2))})
    figures(fig_a=demo, fig_b=_figure())
    out = tmp_path / "out"
    assert command.main(["--demo", "--out", str(out)]) == 0
    assert [p.name for p in out.glob("*.png")] == ["fig_a.png"]


def test_a_figure_that_is_named_and_has_no_demo_is_refused(figures, tmp_path, capsys):
    demo = _figure(DEMO={"low": Powers(exponents=(1, 2))})
    figures(fig_a=demo, fig_b=_figure(), fig_c=_figure())
    out = tmp_path / "out"
    assert command.main(["a", "b", "c", "--demo", "--out", str(out)]) == 2
    assert "got fig_b, fig_c; leave out --demo" in capsys.readouterr().err
    assert not out.exists()


def test_an_animation_becomes_a_gif(figures, tmp_path):
    def animate(results):
        fig, ax = plt.subplots(figsize=(1, 1))
        return ArtistAnimation(fig, [ax.plot([0, 1]), ax.plot([1, 0])])

    figures(fig_toy=_figure(animate=animate))
    assert command.main(["--tiny", "--out", str(tmp_path / "out")]) == 0
    with Image.open(tmp_path / "out/fig_toy.gif") as gif:
        assert gif.n_frames == 2


def test_a_claim_that_fails_and_a_figure_that_fails_are_the_exit_status(figures, tmp_path, capsys):
    spoiled = _figure(STUDIES={"low": Powers(offset=1.0)})
    figures(fig_a=_figure(draw=lambda results: results["high"]), fig_b=spoiled)
    out = str(tmp_path / "out")
    assert command.main(["fig_b", "--tiny", "--out", out]) == 1
    assert command.main(["--tiny", "--out", out]) == 2
    said = capsys.readouterr().err
    assert "fig_a: KeyError: 'high'" in said
    assert "could not draw fig_a" in said
    with pytest.raises(KeyError):
        command.main(["a", "--tiny", "--traceback", "--out", out])


def test_names(figures, capsys):
    figures(fig_toy=_figure())
    assert command.main(["--list"]) == 0
    assert capsys.readouterr().out.split(maxsplit=1) == ["fig_toy", "Powers of two.\n"]
    assert command.main(["toi"]) == 2
    assert "perhaps you meant toy" in capsys.readouterr().err
    assert command.main(["--demo"]) == 2
    assert "expected a figure to draw" in capsys.readouterr().err
