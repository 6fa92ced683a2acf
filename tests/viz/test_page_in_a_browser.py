"""The page in a real browser, headless: what is seen, turned, played and asked for."""

import itertools
import json
import re
import shutil
import time

import jax.numpy as jnp
import numpy as np
import pytest
from runs import gathering, merges_of

from meanfield import observables, viz
from meanfield.viz.pages._pack import unpacked

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER),
    reason="no browser: apt-get install --yes chromium chromium-driver",
)
NEAR = 0.02
TITLE = "clusters </script><b> of tokens"


@pytest.fixture(scope="module")
def browser():
    """One browser for all of this file."""
    webdriver = pytest.importorskip("selenium.webdriver")
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Files of pages by dimension, with the runs that they show."""
    folder, made = tmp_path_factory.mktemp("pages"), {}
    for d, n in ((2, 30), (3, 60), (16, 40)):
        ts, x = gathering(n=n, d=d, clusters=3)
        values = {"energy": 1 - np.exp(-ts), "speed": np.abs(np.gradient(x[..., 0], axis=0))}
        models = np.arange(n) % 2
        path = folder / f"{d}.html"
        viz.page(path, ts, x, values, merges_of(x, ts), models=models, near=NEAR, title=TITLE)
        made[d] = path, ts, x
    return made


@pytest.fixture
def see(browser, pages):
    """Opens the page of a dimension, once it is ready, at a size and in a skin."""

    def open_(d, width=1100, height=850, skin="light"):
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500},
        )
        features = [{"name": "prefers-color-scheme", "value": skin}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        browser.get(pages[d][0].as_uri())
        until(lambda: run("return document.body.dataset.ready") == "yes")
        return pages[d][1:]

    run = browser.execute_script
    return open_


def until(what, seconds=10):
    """Waits for what comes true."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.02)


def _press(browser, key, on=None):
    from selenium.webdriver.common.action_chains import ActionChains

    chain = ActionChains(browser)
    (chain.send_keys_to_element(on, key) if on else chain.send_keys(key)).perform()


def _console(browser) -> list:
    """What the page said; Chromium itself warns of pixels that these tests read."""
    return [e for e in browser.get_log("browser") if "getImageData" not in e["message"]]


def _id(browser, name):
    return browser.find_element("id", name)


def test_ready_silent_and_alone(browser, see, record_property, pages):
    see(3)
    ready = browser.execute_script("return performance.now()")
    frame = browser.execute_script("return meanfield.bench(40)")
    size = pages[3][0].stat().st_size / 1000
    record_property("page", f"{size:.0f} kB, ready in {ready:.0f} ms, {frame:.1f} ms a frame")
    assert _console(browser) == []
    events = [json.loads(e["message"])["message"] for e in browser.get_log("performance")]
    asked = {
        e["params"]["request"]["url"].partition(":")[0]
        for e in events
        if e["method"] == "Network.requestWillBeSent"
    }
    assert "file" in asked and asked <= {"file", "data"}
    # What somebody planted would be refused by the policy, not by the lack of a network.
    said = browser.execute_async_script("""
        const done = arguments[0];
        document.addEventListener("securitypolicyviolation", e => done(e.effectiveDirective));
        fetch("https://example.com/").then(() => done("answered"), () => 0);
        setTimeout(() => done("nothing"), 3000);""")
    assert said == "connect-src" and browser.get_log("browser")  # which is empty from here on
    assert browser.title == TITLE and not browser.find_elements("tag name", "b")
    assert (
        _id(browser, "facts") is not None and browser.find_element("tag name", "h1").text == TITLE
    )


def test_many_tokens_take_little_time(browser, see, record_property, tmp_path):
    """n = 500 at 200 times in under 400 kB; single tokens share a path, and are seen where they stand."""
    ts, x = gathering(n=500, times=200)
    viz.page(tmp_path / "many.html", ts, x, {"energy": 1 - np.exp(-ts)}, merges_of(x, ts))
    see(3)
    few = browser.execute_script("return meanfield.bench(200)")
    browser.get((tmp_path / "many.html").as_uri())
    until(lambda: browser.execute_script("return document.body.dataset.ready") == "yes")
    many = browser.execute_script("return meanfield.bench(200)")
    size = (tmp_path / "many.html").stat().st_size / 1000
    record_property("many", f"{size:.0f} kB, {many:.1f} ms a frame, of 60 tokens {few:.1f} ms")
    assert size < 400
    browser.execute_script("meanfield.go(0)")
    discs = [disc for disc in browser.execute_script("return meanfield.discs()") if disc["z"] > 0]
    clear = [
        a
        for a in discs
        if all(b is a or abs(b["x"] - a["x"]) + abs(b["y"] - a["y"]) > 20 for b in discs)
    ]
    assert len(clear) > 5
    for disc in clear:  # full colour over a pale ball
        pixel = browser.execute_script(
            "const g = document.getElementById('ball').getContext('2d');"
            "return [...g.getImageData(arguments[0], arguments[1], 1, 1).data]",
            round(disc["x"]), round(disc["y"]),
        )  # fmt: skip
        assert max(pixel[:3]) - min(pixel[:3]) > 60


@pytest.mark.parametrize("d", [2, 3, 16])
def test_positions_and_clusters_are_those_of_the_run(browser, see, pages, d):
    _, x = see(d)
    shown = np.array(browser.execute_script("return meanfield.x()"))
    if d <= 3:
        assert np.abs(shown.reshape(x.shape) - x).max() < 2e-5
    else:
        text = pages[d][0].read_text()
        data = json.loads(re.findall(r'json">(.*?)</script>', text, re.DOTALL)[0])
        assert np.abs(shown - unpacked(data["x"]).ravel()).max() < 1e-6
        assert len(browser.find_elements("css selector", "#axes select")) == 3
    browser.execute_script(f"meanfield.go({len(x) - 1})")
    found = observables.clusters(jnp.asarray(x[-1]), tolerance=NEAR)
    counts = sorted(np.asarray(found.sizes)[np.asarray(found.sizes) > 0].tolist(), reverse=True)
    assert browser.execute_script("return meanfield.clusters()") == counts and len(counts) == 3
    words = _id(browser, "say").text
    assert "3 clusters" in words and f"{100 * counts[0] / x.shape[1]:.1f} %" in words
    assert _console(browser) == []


def test_turning_stays_a_rotation(browser, see):
    from selenium.webdriver.common.action_chains import ActionChains

    see(3)
    ball = _id(browser, "ball")
    seen = [browser.execute_script("return meanfield.rotation()")]
    ActionChains(browser, duration=20).drag_and_drop_by_offset(ball, 80, 20).perform()
    seen.append(browser.execute_script("return meanfield.rotation()"))
    for key in ("\ue012", "\ue013", "\ue014", "\ue015"):  # the arrows
        _press(browser, key, ball)
        seen.append(browser.execute_script("return meanfield.rotation()"))
    for one, other in itertools.pairwise(seen):
        assert np.abs(np.subtract(one, other)).max() > 1e-3
    for rotation in seen:
        r = np.reshape(rotation, (3, 3))
        # Each turn is made orthonormal again, to rounding.
        np.testing.assert_allclose(r @ r.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(r) > 0


def test_areas_are_masses_and_face_shows_the_heaviest(browser, see):
    _, x = see(3)
    browser.execute_script(f"meanfield.go({len(x) - 1})")
    ball = _id(browser, "ball")
    for _ in range(9):
        _press(browser, "\ue014", ball)
    _id(browser, "face").click()
    discs = browser.execute_script("return meanfield.discs()")
    ratio = [disc["s"] ** 2 / disc["n"] for disc in discs]
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-9)
    heaviest = max(discs, key=lambda disc: disc["n"])
    assert heaviest["z"] > 0.3 and sum(disc["n"] for disc in discs) == x.shape[1]


def test_play_pause_step_and_slide(browser, see):
    ts, _ = see(3)
    frame = lambda: int(browser.execute_script("return document.body.dataset.frame"))
    _press(browser, " ")
    until(lambda: frame() > 0)
    assert _id(browser, "play").text == "Pause"
    _press(browser, " ")
    stopped = frame()
    time.sleep(0.6)  # more than a frame of nine seconds over twenty
    assert frame() == stopped < len(ts) - 1 and _id(browser, "play").text == "Play"
    _press(browser, ".")
    assert frame() == stopped + 1
    _press(browser, ",")
    assert frame() == stopped
    _press(browser, "\ue010", _id(browser, "time"))  # End
    assert frame() == len(ts) - 1
    assert "3 clusters" in _id(browser, "time").get_attribute("aria-valuetext")
    names = [c.get_attribute("aria-label") for c in browser.find_elements("tag name", "canvas")]
    assert all(names) and "60 tokens" in names[0] and any("merge tree" in name for name in names)


@pytest.mark.parametrize("skin", ["light", "dark"])
def test_a_phone_needs_no_sideways_scroll(browser, see, skin):
    from selenium.webdriver.support.ui import Select

    see(3, 390, 844, skin)
    assert browser.execute_script("return document.documentElement.scrollWidth") == 390
    # Colours by whatever there is; the corner of the picture has the page's own colour.
    for name in ("cluster", "model", "speed"):
        Select(_id(browser, "by")).select_by_visible_text(name)
        assert _id(browser, "key").text
    corner = browser.execute_script(
        "return [...document.getElementById('ball').getContext('2d').getImageData(1, 1, 1, 1).data]"
    )
    assert max(corner[:3]) < 40 if skin == "dark" else min(corner[:3]) == 255
    assert _console(browser) == []
