"""Settings of the site; `python .docs` assembles its pages and calls Sphinx with them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import importlib.metadata

import latex2mathml.converter
from docstrings import prose
from docutils import nodes

project = "meanfield"
html_title = "meanfield"
release = version = importlib.metadata.version("meanfield-jax")
copyright = "the meanfield developers"
extensions = ["sphinx.ext.autodoc", "sphinx.ext.viewcode", "myst_nb"]
exclude_patterns = ["_static"]
default_role = "literal"

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
add_module_names = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88

myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_timeout = 900
nb_execution_raise_on_error = True
nb_merge_streams = True
# Of what a lesson prints to a terminal, pages keep text and pictures.
suppress_warnings = ["mystnb.unknown_mime_type"]

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["house.css"]
html_show_sourcelink = False
html_copy_source = False
html_math_renderer = "mathml"


def _mathml(self, node):
    """A formula that browsers set by themselves, without a script."""
    display = "block" if isinstance(node, nodes.math_block) else "inline"
    self.body.append(latex2mathml.converter.convert(node.astext(), display=display))
    raise nodes.SkipNode


def _readable(app, what, name, obj, options, signature, returned):
    """Types as they are written in the code, not as they are represented at run time."""
    known = (("jaxlib._jax.", ""), ("<class 'float'>", "float"), ("~typing.", ""))
    texts = [signature or "", returned or ""]
    for old, new in known:
        texts = [text.replace(old, new) for text in texts]
    return texts[0] or signature, texts[1] or returned


def setup(app):
    app.connect("autodoc-process-signature", _readable)
    app.connect("autodoc-process-docstring", prose)
    for known in (app.registry.html_inline_math_renderers, app.registry.html_block_math_renderers):
        known["mathml"] = (_mathml, None)
