"""What a report is made of, and how it is written in Markdown and in HTML."""

import base64
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

import sympy
from sympy.printing.mathml import MathMLPresentationPrinter

from ..expressions import Expr

STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;margin:1rem 0}td,th{border-bottom:1px solid #ccc;padding:.3rem .7rem;
text-align:left}svg,img{max-width:100%;height:auto}math{font-size:1.1em}code{background:#f3f3f3}"""


def shown(value: float) -> str:
    """A number of six digits."""
    return f"{value:.6g}"


@dataclass(frozen=True)
class Heading:
    """A heading of a level."""

    text: str
    level: int = 2

    def markdown(self) -> str:
        """As Markdown."""
        return f"{'#' * self.level} {plain(self.text)}"

    def html(self) -> str:
        """As HTML."""
        return f"<h{self.level}>{html.escape(self.text)}</h{self.level}>"


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of text."""

    text: str

    def markdown(self) -> str:
        """As Markdown."""
        return plain(self.text)

    def html(self) -> str:
        """As HTML."""
        return f"<p>{html.escape(self.text)}</p>"


@dataclass(frozen=True)
class Points:
    """A list of points."""

    items: Sequence[str]

    def markdown(self) -> str:
        """As Markdown."""
        return "\n".join(f"- {plain(item)}" for item in self.items)

    def html(self) -> str:
        """As HTML."""
        return f"<ul>{''.join(f'<li>{html.escape(item)}</li>' for item in self.items)}</ul>"


@dataclass(frozen=True)
class Table:
    """A table of text."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """As Markdown."""
        lines = [self.header, ["---"] * len(self.header)]
        text = [[plain(cell) for cell in row] for row in self.rows]
        return "\n".join(f"| {' | '.join(row)} |" for row in [*lines, *text])

    def html(self) -> str:
        """As HTML."""
        head = "".join(f"<th>{html.escape(cell)}</th>" for cell in self.header)
        rows = ["".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in self.rows]
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


@dataclass(frozen=True)
class Formula:
    """left = right, typeset; `left` is in LaTeX and in words of MathML."""

    left: Expr
    right: Expr

    def markdown(self) -> str:
        """As Markdown."""
        return f"$$ {sympy.latex(self.left)} = {sympy.latex(self.right)} $$"

    def html(self) -> str:
        """As HTML."""
        printer = MathMLPresentationPrinter()
        left, right = (printer.doprint(side) for side in (self.left, self.right))
        return f'<p><math display="block">{left}<mo>=</mo>{right}</math></p>'


@dataclass(frozen=True)
class Figure:
    """A drawing in SVG, with what it shows."""

    svg: str
    caption: str

    def markdown(self) -> str:
        """As Markdown."""
        data = base64.b64encode(self.svg.encode()).decode()
        return f"![{plain(self.caption)}](data:image/svg+xml;base64,{data})"

    def html(self) -> str:
        """As HTML."""
        return f"<figure>{self.svg}<figcaption>{html.escape(self.caption)}</figcaption></figure>"


Block = Heading | Paragraph | Points | Table | Formula | Figure


def plain(text: str) -> str:
    """Text of which nothing is markup, in one line."""
    return re.sub(r"([\\`*_{}\[\]<>#|$!~])", r"\\\1", " ".join(text.split()))


def as_markdown(blocks: Sequence[Block]) -> str:
    """The report as Markdown."""
    return "\n\n".join(block.markdown() for block in blocks) + "\n"


def as_html(blocks: Sequence[Block], title: str) -> str:
    """The report as a page of HTML that needs nothing else."""
    body = "\n".join(block.html() for block in blocks)
    head = f'<meta charset="utf-8"><title>{html.escape(title)}</title><style>{STYLE}</style>'
    return f"<!doctype html>\n<html lang=en><head>{head}</head>\n<body>\n{body}\n</body></html>\n"
