"""The site: docstrings as Sphinx reads them, links, and two rooms built without a warning."""

import ast
import io
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
pytest.importorskip("sphinx", reason="needs Sphinx: pip install '.[docs]'")
sys.path.insert(0, str(ROOT / ".docs"))

import gallery
from docstrings import prose
from docutils.core import publish_doctree
from links import broken_links
from toys import Powers

from meanfield.program import claims_of


def as_sphinx_reads(text: str) -> str:
    lines = text.split("\n")
    prose(None, "class", "X", None, None, lines)
    return "\n".join(lines)


def test_characters_of_prose_mean_themselves_and_equations_are_blocks():
    read = as_sphinx_reads("Weights w_ of |x| and `a_ * b`:\n\n    |x|^2 = x_ * y\n\nand so on.")
    assert r"w\_ of \|x\| and `a_ * b`" in read
    assert "code-block:: text" in read and "    |x|^2 = x_ * y" in read
    assert read.index("|x|^2 = ") < read.index("and so on.")


def test_lists_begin_after_an_empty_line_and_keep_what_hangs_below():
    read = as_sphinx_reads("Parameters:\n- `a` is one,\n    or more;\n- `b` is two.")
    assert read.startswith("Parameters:\n\n- `a`") and "code-block" not in read


def test_examples_are_python():
    assert "code-block:: python" in as_sphinx_reads("So:\n\n    mf.simulate(flow, x0, ts)")


def _docstrings(path: Path) -> list[str]:
    """What public classes, methods and functions of a file say."""
    kinds = ast.FunctionDef | ast.ClassDef
    outer = [node for node in ast.parse(path.read_text()).body if isinstance(node, kinds)]
    inner = [node for one in outer for node in one.body if isinstance(node, kinds)]
    named = [node for node in (*outer, *inner) if node.name[0] != "_"]
    return [text for node in named if (text := ast.get_docstring(node))]


def test_docstrings_of_all_rooms_are_read_without_a_warning():
    """Each by itself; two rooms are built as a whole below."""
    said = {}
    for path in sorted((ROOT / "meanfield").rglob("*.py")):
        if not (texts := _docstrings(path)):
            continue
        warned = io.StringIO()
        how = {"report_level": 2, "warning_stream": warned, "syntax_highlight": "none"}
        publish_doctree("\n\n..\n\n".join(map(as_sphinx_reads, texts)), settings_overrides=how)
        if warned.getvalue():
            said[str(path.relative_to(ROOT))] = warned.getvalue()
    assert said == {}


def test_links_to_nowhere_are_found(tmp_path):
    (tmp_path / "a.html").write_text('<a href="b.html#here">x</a><a href="b.html#gone">x</a>')
    (tmp_path / "b.html").write_text(
        '<p id="here"></p><img src="c.png"><a href="https://x.y">z</a>'
    )
    assert broken_links(tmp_path) == [("a.html", "b.html#gone"), ("b.html", "c.png")]


def test_figures_are_drawn_several_a_process(tmp_path, monkeypatch, capsys):
    asked, status = [], [1, 1, 1, 2]  # 1: a claim fails, which its page shows

    def run(command, **options):
        asked.append(command[3:])
        said = f"reused\n{tmp_path}/{len(asked)}.pdf  1.0 s\n"
        return subprocess.CompletedProcess(command, status[len(asked) - 1], said)

    monkeypatch.setattr(gallery.subprocess, "run", run)
    missing = {f"fig_{k}": (tmp_path / f"fig_{k}.png", "--tiny") for k in range(9)}
    gallery._draw(missing | {"fig_demo": (tmp_path / "demo" / "fig_demo.png", "--demo")})
    assert [*map(len, asked)] == [8 + 3, 1 + 3, 1 + 3]
    assert asked[0][7:] == ["fig_7", "--tiny", "--out", str(tmp_path)]
    assert capsys.readouterr().out.count("1.0 s") == 2  # of this folder
    with pytest.raises(RuntimeError, match="fig_8 --tiny"):
        gallery._draw({"fig_8": missing["fig_8"]})


def test_a_page_shows_what_was_claimed(tmp_path):
    study = Powers().tiny()
    store = study.store(root=tmp_path)
    store.save_claims(claims_of(study, study.run(store)))
    figure = ModuleType("fig_powers")
    figure.STUDIES = {"powers": Powers()}
    table = gallery._claims(figure, "--tiny", tmp_path)
    assert table[0] == "## Claims\n"
    assert "| 2^2 | 4 | 4 | yes | arithmetic |" in table
    assert gallery._drawn_now(figure, "--tiny", tmp_path)


def test_two_rooms_and_all_documents_are_built_without_a_warning(tmp_path):
    command = [sys.executable, ".docs", "--quick", "--rooms", "geometry", "measures"]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [*command, "--out", tmp_path], cwd=ROOT, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "0 broken links" in done.stdout and "WARNING" not in done.stderr
    html = tmp_path / "html"
    sphere = re.sub(r"<[^>]+>", "", (html / "reference" / "geometry.html").read_text())
    assert "S^{d-1} in R^d" in sphere  # no markup eats what a docstring says
    assert "Float[Array, '*batch d']" in sphere and "jaxlib" not in sphere
    for page in html.rglob("*.html"):  # nothing is fetched: search and styles are files beside it
        assert not re.search(r'(?:src|<link[^>]+href)="(?:https?:)?//', page.read_text())
    assert "Sphere" in (html / "searchindex.js").read_text()
