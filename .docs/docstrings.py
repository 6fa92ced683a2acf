"""Docstrings are prose for a terminal; here they become what Sphinx reads."""

import re

_MARKUP = re.compile(r"([|*\\]|_(?=\W|$))")


def escaped(line: str) -> str:
    """A line whose characters mean themselves, but for what stands between backquotes."""
    parts = re.split(r"(`[^`]*`)", line)
    return "".join(part if part.startswith("`") else _MARKUP.sub(r"\\\1", part) for part in parts)


def prose(app, what, name, obj, options, lines) -> None:
    """Marks equations and examples, which are indented by four, as blocks, and begins lists.

    Called by autodoc for each docstring, of which it changes the lines in place.
    """
    out: list[str] = []
    block = False
    for k, line in enumerate(lines):
        indented = line.startswith("    ") and not (out and not block and _in_list(lines, k))
        if indented and not block:
            kind = "python" if _is_code(lines[k:]) else "text"
            out += ["", f".. code-block:: {kind}", "   :class: equation", ""]
            block = True
        elif line.strip() and not indented and block:
            out.append("")
            block = False
        if line.startswith("- ") and out and out[-1].strip() and not _is_item(out[-1]):
            out.append("")
        out.append("    " + line[4:] if indented else escaped(line))
    lines[:] = [*out, ""]


def _is_item(line: str) -> bool:
    return line.startswith(("- ", "  "))


def _in_list(lines: list[str], k: int) -> bool:
    """Whether a line goes on with an item, above which no line is empty."""
    while k and lines[k].startswith("  "):
        k -= 1
    return lines[k].startswith("- ")


def _is_code(lines: list[str]) -> bool:
    """Whether a block is Python, not an equation."""
    block = []
    for line in lines:
        if line.strip() and not line.startswith("    "):
            break
        block.append(line[4:])
    try:
        compile("\n".join(block), "example", "exec")
    except SyntaxError:
        return False
    return any(word in "\n".join(block) for word in ("mf.", "import ", "def ", "print("))
