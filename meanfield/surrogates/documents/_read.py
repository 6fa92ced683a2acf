"""Documents read from JSON or YAML; what is wrong with one is said in a sentence with its JSON path."""

import difflib
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from ..._checks import shown
from ._sections import VERSION, Document

LARGEST = 400_000
"""The most bytes of a document."""
DEEPEST = 40
"""The most lists and objects within each other."""
EXPONENT = re.compile(r"^[-+]?\d+[eE][-+]?\d+$")
AT_HAND = "see meanfield surrogate schema"


class DocumentError(ValueError):
    """A document that is wrong, in one sentence with the place and the remedy."""


def refusal(expected: str, path: str, got: str, remedy: str) -> str:
    """The sentence about what is wrong at a path of a document."""
    return f"expected {expected} at {path}, got {got}; {remedy}."


def read(path: str | Path) -> dict[str, Any]:
    """The content of a .json, .yaml or .yml file.

    Raises DocumentError for what is neither, too large, nested too deep, or has a key twice.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
        text = content.decode()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "text that is not UTF-8"
        raise DocumentError(
            f"expected a document in JSON or YAML, got {path} ({why}); check its path."
        ) from error
    if len(content) > LARGEST:
        raise DocumentError(
            refusal(f"at most {LARGEST} bytes", "$", str(len(content)), "shorten it")
        )
    try:
        found = _json(text) if path.suffix == ".json" else _yaml(text)
        _bound_depth(found)
    except (json.JSONDecodeError, yaml.YAMLError, RecursionError, ValueError) as error:
        if isinstance(error, DocumentError):
            raise
        why = " ".join(str(error).split())[:200] or type(error).__name__
        remedy = "mend the syntax there"
        raise DocumentError(
            refusal("JSON or YAML", "$", f"text that is none ({why})", remedy)
        ) from None
    if not isinstance(found, dict):
        raise DocumentError(refusal("an object", "$", shown(found), AT_HAND))
    return found


def _json(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_unique)  # NaN is refused where it stands


def _unique(pairs: list[tuple[Any, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    for key in keys:
        if not isinstance(key, str):
            raise DocumentError(refusal("keys that are text", "$", shown(key), "put it in quotes"))
        if keys.count(key) > 1:
            raise DocumentError(refusal("each key once", "$", f"{shown(key)} twice", "drop one"))
    return dict(pairs)


class _Loader(yaml.SafeLoader):
    """YAML without references, which make a small file huge, or dates, and with numbers such as `1e-3`."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [pair for pair in pairs if not pair[0].endswith((":timestamp", ":merge"))]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent, index):
        event = self.peek_event()  # pyright: ignore[reportCallIssue]
        if getattr(event, "anchor", None) is not None:
            raise DocumentError(refusal("no references", "$", f"&{event.anchor}", "write it out"))
        return super().compose_node(parent, index)  # pyright: ignore[reportCallIssue, reportAttributeAccessIssue]


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[str, Any]:
    pairs = [
        (loader.construct_object(k, True), loader.construct_object(v, True)) for k, v in node.value
    ]
    return _unique(pairs)


def _number(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> float:
    return float(str(node.value))


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_implicit_resolver("!exponent", EXPONENT, [*"-+0123456789"])
_Loader.add_constructor("!exponent", _number)


def _yaml(text: str) -> Any:
    return yaml.load(text, Loader=_Loader)


def _bound_depth(found: Any) -> None:
    level, depth = [found], 0
    while level := [v for each in level for v in _inner(each)]:
        depth += 1
        if depth > DEEPEST:
            raise DocumentError(refusal(f"at most {DEEPEST} levels", "$", "more", "flatten it"))


def _inner(each: Any) -> list[Any]:
    if isinstance(each, dict):
        return [*each.values()]
    return each if isinstance(each, list) else []


def parse(content: dict[str, Any]) -> Document:
    """The document of this content. Raises DocumentError with the first thing that is wrong."""
    try:
        return Document.model_validate(content)
    except ValidationError as error:
        raise DocumentError(_sentence(error.errors(include_url=False)[0])) from None


def path_of(place: tuple[str | int, ...]) -> str:
    """A place within a document as a JSON path, such as $.modeling.equations[0].rhs."""
    return "$" + "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in place)


UNIONS = ("float", "constrained-", "function-", "int", "str", "list[")
"""How pydantic names the members of a union within a place."""


def _sentence(error: Any) -> str:
    place = tuple(p for p in error["loc"] if not str(p).startswith(UNIONS) or isinstance(p, int))
    path, kind, got = path_of(place), error["type"], shown(error["input"])
    context = error.get("ctx", {})
    if kind == "missing":
        return refusal(f"the key {place[-1]}", path, "none", f"add it: {AT_HAND}")
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(str(place[-1]), _keys(place[:-1]), 1)
        remedy = f"perhaps {near[0]} was meant" if near else f"remove it, or {AT_HAND}"
        return refusal("a key that is known", path, f"{place[-1]!r}", remedy)
    if kind == "literal_error":
        return refusal(context["expected"].replace("'", ""), path, got, "choose one of these")
    expected, remedy = _expected(kind, context)
    return refusal(expected, path, got, remedy)


def _expected(kind: str, context: dict[str, Any]) -> tuple[str, str]:
    """What a value should have been, and what to do."""
    if kind == "string_pattern_mismatch":
        return "a name of letters, digits and _", "rename it"
    if kind in ("string_too_long", "string_too_short", "too_short", "too_long"):
        bound = context.get("max_length", context.get("min_length"))
        most = "at most" if kind.endswith("long") else "at least"
        return f"{most} {bound} entries or characters", "shorten or lengthen it"
    for sign, words in (("ge", ">="), ("gt", ">"), ("le", "<="), ("lt", "<")):
        if sign in context:
            return f"a number {words} {context[sign]:g}", "choose another"
    words = {"float": "a number", "int": "an integer", "string": "text", "list": "a list",
             "model": "an object", "dict": "an object", "bool": "true or false",
             "finite": "a finite number"}  # fmt: skip
    return words.get(kind.partition("_")[0], "another kind of value"), AT_HAND


def _keys(place: tuple[str | int, ...]) -> list[str]:
    """The keys that the part of a document at a place may have."""
    kind: Any = Document
    for name in place:
        if isinstance(name, str) and name in getattr(kind, "model_fields", {}):
            kind = kind.model_fields[name].annotation
        kind = _model(kind)
    return [*getattr(kind, "model_fields", {})]


def _model(kind: Any) -> Any:
    """The first section within an annotation."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind
    inner = (_model(each) for each in getattr(kind, "__args__", ()))
    return next((each for each in inner if each is not None), None)


def digest(document: Document) -> str:
    """The hash of what a document says, however it is written."""
    content = json.dumps(document.model_dump(mode="json"), sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(content.encode()).hexdigest()


def schema() -> dict[str, Any]:
    """The JSON Schema of documents."""
    found = Document.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "version": VERSION, **found}
