"""`meanfield explore`: a local page whose sliders run the flow anew."""

import functools
import http.server
import time
import urllib.parse
import webbrowser
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from .. import viz
from ..attention import Softmax
from ..dynamics import AttentionFlow, PeriNorm, PreNorm
from ..energies import Interaction
from ..geometry import Sphere
from ..solve import simulate
from ._arguments import parse
from ._finding import UsageError
from ._machine import prepare

HERE = "127.0.0.1"
KNOWN = {"n": (16, 64, 256), "d": (2, 3, 16), "normalization": ("post", "pre", "peri")}
RANGES = {"beta": (0.1, 50.0), "noise": (0.0, 1.0)}
SAVES, END, STEP = 120, 100.0, 0.02
Point = tuple[int, int, str, bool]


@dataclass(frozen=True)
class _ExploreOptions:
    port: int = 0
    """Port on this machine; by default one that is free."""
    open: tyro.conf.FlagCreatePairsOff[bool] = False
    """Open it in the browser."""
    traceback: tyro.conf.FlagCreatePairsOff[bool] = False
    """Show where an error arose."""


def explore(arguments: list[str]) -> int:
    """Serves a page with sliders for beta, noise, n, d and normalization, to this machine alone."""
    options = parse(_ExploreOptions, "meanfield explore", arguments)
    prepare(float32=True)
    server = served(options.port)
    address = f"http://{HERE}:{server.server_address[1]}/"
    print(f"{address}  (Ctrl-C ends it)", flush=True)
    if options.open:
        webbrowser.open(address)
    server.serve_forever()
    return 0


def served(port: int = 0) -> http.server.ThreadingHTTPServer:
    """The server, which listens on this machine alone and keeps everything in memory."""
    try:
        return http.server.ThreadingHTTPServer((HERE, port), _Handler)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or "none from 0 to 65535"
        raise UsageError(
            f"expected a port that is free, got {port} ({why}); leave out --port"
        ) from error


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        # A page of another site may have its name point here: its Host is not ours.
        port = self.server.server_address[1]  # pyright: ignore[reportIndexIssue]
        if self.headers.get("Host") not in (f"{HERE}:{port}", f"localhost:{port}"):
            return self._say(403, "asked for by another name")
        asked = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(asked.query))
        try:
            if asked.path == "/":
                shell = files("meanfield.commands") / "assets" / "explore.html"
                return self._say(200, shell.read_text("utf-8"), "text/html")
            if asked.path == "/known":
                return self._say(200, "yes" if _point(query)[0] in _COMPILED else "no")
            if asked.path == "/run":
                start = time.monotonic()
                text = answer(query)
                seconds = f"{time.monotonic() - start:.2f}"
                return self._say(200, text, "text/html", {"X-Seconds": seconds})
        except (ValueError, RuntimeError) as error:
            return self._say(400, str(error))
        return self._say(404, "no such page")

    def _say(
        self,
        status: int,
        text: str,
        kind: str = "text/plain",
        more: Mapping[str, str] | None = None,
    ):
        body = text.encode()
        self.send_response(status)
        headers = {"Content-Type": f"{kind}; charset=utf-8", "Content-Length": str(len(body))}
        for name, value in {**headers, "Cache-Control": "no-store", **(more or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any):
        """Nothing: requests are not the terminal's business."""


_COMPILED: set[Point] = set()
"""What has run, and is compiled."""


def answer(query: Mapping[str, str]) -> str:
    """The page of one run. Raises ValueError for values that are not among those offered."""
    point, beta, noise = _point(query)
    n, d, normalization, _ = point
    values = _program(point)(jnp.float32(beta), jnp.float32(noise), jax.random.key(1))
    x = np.asarray(values["x"], float)
    x = x / np.linalg.norm(x, axis=-1, keepdims=True)  # float32 is off the sphere by its rounding
    _COMPILED.add(point)
    title = f"{n} tokens on S^{d - 1}, beta = {beta:g}, noise = {noise:g}, {normalization}"
    return viz.page(None, _times(), x, {"energy": np.asarray(values["energy"])}, title=title).text


def _point(query: Mapping[str, str]) -> tuple[Point, float, float]:
    """The sizes for which there is a program, beta and noise."""
    found: dict[str, Any] = {}
    for name, known in KNOWN.items():
        texts = {str(one): one for one in known}
        if query.get(name) not in texts:
            raise ValueError(f"expected {name} among {known}, got {query.get(name)!r:.40}")
        found[name] = texts[query[name]]
    for name, (low, high) in RANGES.items():
        value = float(query.get(name, "nan"))
        if not low <= value <= high:
            raise ValueError(f"expected {name} from {low} to {high}, got {value}")
        found[name] = value
    sizes = found["n"], found["d"], found["normalization"], found["noise"] > 0
    return sizes, found["beta"], found["noise"]


def _times() -> np.ndarray:
    return np.concatenate([[0.0], np.geomspace(0.05, END, SAVES - 1)])


@functools.cache
def _program(point: Point) -> Callable[..., dict[str, jax.Array]]:
    """One program for each size: beta and the noise are its arguments."""
    n, d, name, noisy = point
    sphere = Sphere(d)
    normalization = {"post": None, "pre": PreNorm(), "peri": PeriNorm()}[name]

    def cloud(state):
        return state if normalization is None else state[0]

    @jax.jit
    def run(beta, noise, key):
        x0 = sphere.sample(jax.random.key(0), n)
        flow = AttentionFlow(sphere, Softmax(beta), normalization, noise=noise if noisy else 0.0)
        energy = Interaction(beta, offset=beta)
        how: dict[str, Any] = {"dt": STEP, "key": key} if noisy else {"tol": 1e-4}
        return simulate(
            flow, x0 if normalization is None else (x0, jnp.ones(n)), jnp.asarray(_times(), jnp.float32),
            observe={"x": cloud, "energy": lambda state: energy(cloud(state))}, throw=False, **how,
        ).values  # fmt: skip

    return run
