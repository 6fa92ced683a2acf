"""Reports: the same for the same document, with every section, and nothing of a document is markup."""

import re
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pytest
from editing import edited, plain, solved
from refusals import check_refused

from meanfield import surrogates
from meanfield.surrogates.documents import SECTIONS
from meanfield.surrogates.reports import Findings, as_html, as_markdown, blocks_of, validation
from meanfield.surrogates.reports._drawing import drawing
from meanfield.surrogates.reports._profiles import profile_blocks

DEPTH = np.arange(21.0)
DATA = {"l": DEPTH, "y_a": 0.9 - 0.8 * np.exp(-0.4 * DEPTH) + 0.01 * np.cos(9 * DEPTH)}
EVIL = "<script>alert(1)</script> | **a** [b](c) $d$"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return solved(
        tmp_path_factory.mktemp("documents"),
        "E2",
        metadata__title=EVIL,
        modeling__equations__0__mechanism_link=EVIL,
        validation={"fit_quality": [{"measurement": "y_a", "metric": "r2", "threshold": 0.9},
                                    {"measurement": "y_a", "metric": "rmse", "threshold": 1e-6}]},
        novelty_assurance={"prior_work": [{"id": "A2000", "title": "a work"}], "statement": "none"},
        modeling__assumptions=["layers are taken as continuous"],
    )  # fmt: skip


@pytest.fixture(scope="module")
def pages(model, tmp_path_factory):
    """Reports with data in both forms, each written twice."""
    folder = tmp_path_factory.mktemp("reports")
    names = [f"{k}.{suffix}" for suffix in ("md", "html") for k in (1, 2)]
    return [model.report(folder / name, DATA).read_text() for name in names]


def test_reports_are_the_same_each_time_and_begin_with_the_hash(model, pages):
    first, again, page, page_again = pages
    assert first == again and page == page_again
    assert model.digest in first[:400] and model.digest in page


def test_every_section_is_there_with_what_was_found(pages):
    first, _, page, _ = pages
    found = re.findall(r"^## (.*)$", first, re.MULTILINE)
    # a document of algebraic equations names no method, and asks for no sensitivity
    assert found == [
        each.capitalize() for each in SECTIONS if each not in ("method", "sensitivity")
    ]
    assert "e^{" in first and "<math" in page
    row = next(line for line in first.splitlines() if line.startswith("| r2 of y"))
    assert row.endswith("| yes |")
    row = next(line for line in first.splitlines() if line.startswith("| rmse of y"))
    assert row.endswith("| no |")
    assert re.search(r"\| identifiability \| rank 2 \| rank 2 \| yes \|", first)


def test_nothing_of_a_document_is_markup(pages):
    first, _, page, _ = pages
    assert "<script" not in page and "&lt;script&gt;" in page
    assert r"\<script\>" in first and "<script>" not in first and r"\*\*a\*\*" in first

    opened: list[str] = []

    class Balanced(HTMLParser):
        def handle_starttag(self, tag, attrs):
            if tag != "meta":
                opened.append(tag)

        def handle_endtag(self, tag):
            assert opened.pop() == tag

    Balanced().feed(page)
    assert not opened
    drawn = re.findall(r"<svg.*?</svg>", page)
    assert len(drawn) == 5
    for each in drawn:
        ET.fromstring(each)
    # 21 points measured, where they belong: the last 20/20 of the way across
    measured = ET.fromstring(drawn[1])
    spots = [each for each in measured if each.tag.endswith("circle")]
    assert (
        len(spots) == 21
        and float(spots[-1].get("cx", 0)) == 620.0
        and float(spots[0].get("cx", 0)) == 70.0
    )


def test_drawings_have_room_for_names_and_no_minus_zero():
    """Of y = 0 to 1 beneath two names: .05 free below and .05 + 2 .08 above, over 300 - 70 pixels."""
    rise = (np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    root = ET.fromstring(drawing({"a": rise}, {"b": rise}, "x", "y"))
    (line,) = [each for each in root if each.tag.endswith("polyline")]
    ends = [float(each.split(",")[1]) for each in line.get("points", "").split()]
    assert ends == pytest.approx([250 - 230 * share / 1.26 for share in (0.05, 1.05)], abs=0.006)
    names = [float(e.get("y", 0)) for e in root if e.text in ("a", "b")]
    assert max(names) < ends[1] and "-0" not in [e.text for e in root]


def test_profiles_are_shown_with_what_bounds_them(tmp_path, model, pages):
    head = "| parameter | 95% interval by the likelihood | what bounds it |"
    table = pages[0].split(head)[1].splitlines()
    assert table[2].startswith("| rate |") and table[2].endswith("| the likelihood |")
    low, high = (float(each) for each in table[2].split("|")[2].split(" to "))
    assert 0.35 < low < 0.4 < high < 0.45
    flat = plain(tmp_path, "(a + b)*t", {"a": 0.1, "b": 0.1})
    data = {"t": DEPTH, "z": 0.5 * DEPTH}
    blocks = profile_blocks(flat.model, [flat.profile("a", data, points=2)])
    (row,) = blocks[0].rows
    assert row[1] == "-inf to inf" and row[2].startswith("unbounded below and above: searched -")
    assert profile_blocks(flat.model, []) == []


def test_sections_follow_the_output_contract(tmp_path):
    model = edited(
        tmp_path, "E2", output_contract={"sections": ["validation", "problem", "prior work"]}
    ).model
    text = as_markdown(blocks_of(model, Findings(())))
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Validation", "Problem", "Prior work"]
    assert "There is none" in text


def test_a_fault_is_reported_and_not_run(tmp_path):
    model = surrogates.load("fault_units")
    text = model.report(tmp_path / "fault.md").read_text()
    assert "a factor in 1/layer is missing" in text
    assert re.search(r"\| units \| 1 disagreements \| none \| no \|", text)
    assert "## Fit" not in text


def test_borrowed_equations_cite_and_new_ones_were_searched_for():
    found = {row.what: row.ok for row in validation(surrogates.load("E1").model, Findings(()))}
    assert found == {"units": True, "E1 is new": False}
    found = validation(surrogates.load("context_diffusion").model, Findings(()))
    assert [row.ok for row in found if row.what == "diffusion is borrowed"] == [False]


def test_noise_and_fields_are_typeset():
    for name, words in (("E3", r"\frac{d}{d t} B_{W}"), ("context_diffusion", "no-flux")):
        blocks = blocks_of(surrogates.load(name).model, Findings(()))
        assert words in as_markdown(blocks) and "<math" in as_html(blocks, "a")


def test_other_files_and_missing_packages_are_refused(tmp_path, monkeypatch):
    check_refused(lambda: surrogates.load("E2").report(tmp_path / "a.pdf"), ".md or .html")
    monkeypatch.setitem(sys.modules, "pint", None)
    check_refused(lambda: surrogates.load("E2"), "pip install 'meanfield-jax[surrogates]'")
