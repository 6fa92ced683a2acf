"""What docstrings and the README say: examples run, calls fit, parameters are told, numbers are held."""

import ast
import importlib
import inspect
import json
import re
import sys
import types
from functools import cache
from pathlib import Path

import catalogue
import pytest
from prose import CODE, HELD, ROOT, blocks, constants, docstrings, in_prose, value

import meanfield as mf
from benchmarks._measure import measure
from meanfield import studies

LINES = [line.split(" | ") for line in HELD.read_text().splitlines()]
ROOMS = [name for name in dir(mf) if (ROOT / "meanfield" / name).is_dir()]
# A block of code, where equations stand too.
STARTS = re.compile(r"import |from |def |class |@|\"\"\"")


def test_every_number_in_prose_is_held():
    """Each line of held_numbers.txt: a file, numbers that its prose states, and what holds them."""
    listed: dict[str, set[str]] = {}
    for name, found, _ in LINES:
        listed.setdefault(name, set()).update(found.split())
    now = in_prose()
    free = {name: found - listed.get(name, set()) for name, found in now.items()}
    gone = {name: found - now.get(name, set()) for name, found in listed.items()}
    assert not {k: v for k, v in free.items() if v}, "say in held_numbers.txt what holds these"
    assert not {k: v for k, v in gone.items() if v}, "drop these from held_numbers.txt"


@pytest.mark.parametrize("line", LINES, ids=[f"{name}: {found}" for name, found, _ in LINES])
def test_what_holds_a_number_has_it(line):
    """A file of code that has the number, the claims of studies, or a reason (`because`)."""
    _, found, holder = line
    if holder.startswith("claims: "):
        named = {kind.__name__ for kind in studies.available().values()}
        assert {*holder.removeprefix("claims: ").split(", ")} <= named
    elif not holder.startswith("because: "):
        assert {value(number) for number in found.split()} <= constants(ROOT / holder)


def code_of(file: str) -> list[str]:
    """The code among the blocks of a file's docstrings."""
    found = [block for text in docstrings(ROOT / file) for block in blocks(text)]
    return [block for block in found if STARTS.match(block)]


def test_examples_run(monkeypatch):
    """The only blocks of code: a study, a figure of it, and a benchmark."""
    files = [str(path.relative_to(ROOT)) for path in CODE] + ["benchmarks/__init__.py"]
    found = {file: code for file in files if (code := code_of(file))}
    (contests,), (study,), (figure,) = (found[file] for file in sorted(found))
    names = _run(study, "meanfield.studies.machinery")
    decay = names["Decay"]().tiny()
    result = decay.run()
    assert all(claim.passed for claim in decay.claims(result))
    monkeypatch.setattr(studies, "Decay", names["Decay"], raising=False)
    drawn = _run(figure, "paper_figs")
    assert drawn["draw"](dict.fromkeys(drawn["DEMO"], result)).axes
    (contest,) = _run(contests, "benchmarks")["contests"](True)
    assert measure(contest, 1)["contenders"]["Blockwise"]["error"] < 1e-6


def _run(code: str, package: str) -> dict:
    names = {"__package__": package, "__name__": f"{package}.example"}
    module = sys.modules[names["__name__"]] = types.ModuleType(names["__name__"])
    vars(module).update(names)
    exec(code, vars(module))
    return vars(module)


def cells_of(notebook: Path) -> list[str]:
    """The code of a notebook."""
    cells = json.loads(notebook.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def test_calls_in_prose_fit():
    """Calls in backticks, and in notebooks, of what is public have the arguments that it takes."""
    wrong, count = [], 0
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    for path in [*CODE, ROOT / "README.md", ROOT / "TOUR.md", *notebooks]:
        texts = [*docstrings(path)] if path.suffix == ".py" else [path.read_text()]
        quoted = [" ".join(q.split()) for text in texts for q in re.findall("`([^`]+)`", text)]
        cells = cells_of(path) if path in notebooks else []
        for code in [*quoted, *cells, *(block for text in texts for block in blocks(text))]:
            for call in _calls(code):
                found = _named(call.func)
                if callable(found):
                    count += 1
                    wrong += [] if _fits(found, call) else [f"{path.name}: {ast.unparse(call)}"]
    assert count > 400 and not wrong


# What these mean is the same everywhere: see "Conventions" in the README, and "Style" in CONTRIBUTING.
USUAL = """x y w a b t n d x0 key args state basis coeffs geometry weights noise ax label labels name dtype
    cost attention path query value mask mean cov domain problem identity kwargs"""


def _told() -> dict[str, object]:
    """Public functions and classes of which users read what their parameters are."""
    found = {}
    for name, thing in _public().items():
        room = getattr(thing, "__module__", "").split(".")[1:2]
        error = inspect.isclass(thing) and issubclass(thing, Exception)
        if callable(thing) and not error and f"{''.join(room)}.{name}" not in catalogue.MADE_BY:
            found[name] = thing
    return {
        k: v for k, v in found.items() if not (inspect.isclass(v) and issubclass(v, studies.Study))
    }


def test_parameters_are_told():
    """By name in the docstring, unless it is a usual one; bullets begin with names that exist."""
    untold, strange = {}, {}
    for name, thing in _told().items():
        text, names = inspect.getdoc(thing), {*inspect.signature(thing).parameters}
        elsewhere = re.search("rguments (?:and what is raised )?as", text)
        left = names - {*USUAL.split()} - {*re.findall(r"\w+", text)}
        if left and not elsewhere:
            untold[name] = left
        heads = re.findall(r"^- ((?:`\w+`(?:, | and | > 0)?)+):", text, re.MULTILINE)
        told = {word for head in heads for word in re.findall(r"`(\w+)`", head)}
        members = {*dir(thing), *getattr(thing, "__annotations__", {})}
        if told - names - members:
            strange[name] = told - names - members
    assert not untold, untold
    assert not strange


METHODS = {  # abstract classes of numerical methods, and those that only name what others are held against
    mf.schemes.AbstractScheme: {},
    mf.schemes.AbstractBias: {"Biased"},
    mf.attention.AbstractEngine: {"Dense"},
    mf.dynamics.AbstractNormalization: {},
    mf.dynamics.AbstractPull: {"ExactPull"},
}


def test_methods_name_their_sources():
    lack = {
        name
        for name, thing in _public().items()
        for kind, plain in METHODS.items()
        if inspect.isclass(thing) and issubclass(thing, kind) and name not in plain
        if not inspect.isabstract(thing) and not _has_source(thing)
    }
    assert not lack


def _has_source(kind: type) -> bool:
    texts = [base.__doc__ or "" for base in kind.__mro__ if base.__module__.startswith("meanfield")]
    return bool(re.search(r"Source|arXiv|doi:|\(\d{4}\)", " ".join(texts)))


def _calls(text: str) -> list[ast.Call]:
    try:
        return [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call)]
    except SyntaxError:  # an equation, a command of a shell
        return []


@cache
def _public() -> dict:
    """Every public name of ours, without its room and with it."""
    rooms = {room: importlib.import_module(f"meanfield.{room}") for room in ROOMS}
    verbs = {name: getattr(mf, name) for name in ("simulate", "rollout", "Trajectory")}
    own = {
        name: thing
        for room in rooms.values()
        for name, thing in inspect.getmembers(room)
        if name[0] != "_" and getattr(thing, "__module__", "").startswith("meanfield")
    }
    return own | rooms | verbs | {"mf": mf}


def _named(node: ast.expr):
    if isinstance(node, ast.Name):
        return _public().get(node.id)
    if isinstance(node, ast.Attribute):
        return getattr(_named(node.value), node.attr, None)
    return None


def _fits(function, call: ast.Call) -> bool:
    """Whether the function takes these arguments, perhaps with others."""
    if any(isinstance(a, ast.Starred) or getattr(a, "value", 0) is ... for a in call.args):
        return True
    try:
        names = {k.arg: None for k in call.keywords if k.arg}
        inspect.signature(function).bind_partial(*call.args, **names)
    except TypeError:
        return False
    return True


@pytest.mark.parametrize(
    "document", ["DESIGN.md", "CONTRIBUTING.md", "README.md", "TOUR.md", "benchmarks/README.md"]
)
def test_paths_in_documents_exist(document):
    text = (ROOT / document).read_text()
    paths = re.findall(r"`((?:[\w.]+/)+(?:[\w.]+)?|[\w/]+/_\w+\.py)`", text)
    roots = [ROOT, ROOT / "meanfield", (ROOT / document).parent]
    missing = {p for p in paths if "fig_" not in p and not any((r / p).exists() for r in roots)}
    assert not missing - {".cache/", "results/"}
