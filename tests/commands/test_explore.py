"""The local page: who may ask, what may be asked, and one program for all beta."""

import threading
import urllib.error
import urllib.request

import numpy as np
import pytest

from meanfield.commands import _explore
from meanfield.commands._finding import UsageError

VALID = {"n": "16", "d": "3", "normalization": "post", "beta": "2", "noise": "0"}


@pytest.fixture(scope="module")
def server():
    server = _explore.served()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def _ask(server, path: str, host: str | None = None) -> tuple[int, str]:
    port = server.server_address[1]
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}")
    if host is not None:
        request.add_header("Host", host.format(port=port))
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_the_page_is_served_to_this_machine_alone(server):
    assert server.server_address[0] == "127.0.0.1"
    status, text = _ask(server, "/")
    assert status == 200 and 'name="beta"' in text and "http" not in text
    assert _ask(server, "/", "localhost:{port}")[0] == 200
    for host in ("evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "localhost.evil:{port}"):
        assert _ask(server, "/", host)[0] == 403
    assert _ask(server, "/../pyproject.toml")[0] == 404


def test_ports_that_are_taken_or_none_are_refused(server):
    for port in (server.server_address[1], 99999, -1):
        with pytest.raises(UsageError, match="leave out --port"):
            _explore.served(port)


@pytest.mark.parametrize(
    "wrong",
    [{"n": "1000000"}, {"d": "x"}, {"normalization": "<b>"}, {"beta": "nan"}, {"noise": "-1"}],
)
def test_only_what_is_offered_is_computed(server, wrong):
    query = "&".join(f"{k}={urllib.request.quote(v)}" for k, v in (VALID | wrong).items())
    status, text = _ask(server, f"/run?{query}")
    assert status == 400 and "expected" in text


def test_a_program_serves_all_beta_and_what_must_be_compiled_is_said(server, monkeypatch):
    calls = []

    def run(beta, noise, key):
        calls.append((float(beta), float(noise)))
        x = np.tile(np.eye(3)[:1], (_explore.SAVES, 16, 1))
        return {"x": x, "energy": np.ones(_explore.SAVES)}

    def program(point):
        assert point == (16, 3, "post", False)
        return run

    monkeypatch.setattr(_explore, "_program", program)
    monkeypatch.setattr(_explore, "_COMPILED", set())
    query = "&".join(f"{k}={v}" for k, v in VALID.items())
    assert _ask(server, f"/known?{query}") == (200, "no")
    status, text = _ask(server, f"/run?{query}")
    assert status == 200 and "16 tokens on S^2, beta = 2" in text
    assert _ask(server, f"/known?{query.replace('beta=2', 'beta=7')}") == (200, "yes")
    assert calls == [(2.0, 0.0)]


def test_sizes_have_one_program_each():
    assert _explore._program((16, 3, "post", False)) is _explore._program((16, 3, "post", False))
