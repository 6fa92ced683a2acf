"""Valid calls of what stands aside: pictures, the store, and the machinery of studies."""

import dataclasses
import inspect
from types import SimpleNamespace

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr

from catalogue.entry import Entry, entry
from catalogue.scratch import scratch
from catalogue.things import X
from meanfield import io, studies

FIGURE, AX = plt.subplots()
LINE = np.linspace(0.5, 1.0, 4)
FLAT_X = X[:, :2] / jnp.linalg.norm(X[:, :2], axis=1)[:, None]
MERGED = SimpleNamespace(
    time=np.array([1.0, 2.0]),
    kept=np.array([0, 0]),
    absorbed=np.array([1, 2]),
    mass=np.array([2, 3]) / 3,
)
LOOSE = {"label": None, "k": None, "labels": None, "order": None, "view": None, "area": None}


def picture(name: str, kinds: dict, gaps: str = "", **arguments) -> Entry:
    """An entry of viz: arrays unless said otherwise; `gaps` are those in which NaN leaves a gap."""
    fine = {("w", "sum 2")} | {(gap, kind) for gap in gaps for kind in ("NaN", "infinity")}
    arrays = dict.fromkeys(arguments, "array") | {"ax": "object"} | LOOSE | kinds
    axis = {} if name == "facing" else {"ax": AX}
    return entry(f"viz.{name}", fine_=fine, kinds_=arrays, **axis, **arguments)


MASSES = {"w": "weights", "near": "positive", "full": "positive"}
VIZ = [
    entry("viz.angle_ticks", axis=AX.xaxis),
    picture("band", {}, x=LINE, mid=LINE, low=LINE - 0.1, high=LINE + 0.1),
    entry("viz.beyond", mappable=AX.scatter([0.0], [0.0], c=[1.0])),
    picture("circle_masses", MASSES, x=FLAT_X, w=np.full(5, 0.2), near=0.1, full=0.3),
    picture("circle_points", {"w": "weights"}, x=FLAT_X, w=np.full(5, 0.2)),
    picture("circle_tracks", {}, history=jnp.stack([FLAT_X, FLAT_X])),
    picture("convergence", {}, h=LINE, error=LINE**2, label="method"),
    picture("density_circle", {"height": "positive"}, angles=LINE, rho=LINE, height=0.5),
    picture("facing", {"w": "weights"}, x=X, w=np.full(5, 0.2)),
    entry(
        "viz.film",
        fig=FIGURE,
        update=lambda frame: None,
        frames=2,
        fps=12.0,
        fine_={("update", "a function of text")},
    ),
    picture("histogram_ridge", {"overlap": "positive"}, centres=LINE, counts=np.ones((2, 4))),
    picture("mass_key", {"n": "count", "full": "positive"}, n=5, full=0.3),
    picture(
        "merge_tree",
        {"merges": "object", "w": "weights", "end": "positive"},
        merges=MERGED,
        w=np.full(3, 1 / 3),
        end=3.0,
    ),
    picture("mollweide", {}, longitudes=LINE, latitudes=LINE, density=np.ones((4, 4))),
    picture("overlay_curve", {}, "xy", x=LINE, y=LINE),
    entry(
        "viz.overview",
        dataset=xr.Dataset({"a": ("time", [1.0, 2.0])}),
        title="a run",
        kinds_={"title": None},
    ),
    entry(
        "viz.page",
        source=None,
        ts=np.array([0.0, 1.0]),
        x=jnp.stack([X, X]),
        values={"energy": np.array([0.0, 1.0])},
        merges=MERGED,
        w=np.full(5, 0.2),
        near=0.1,
        fine_={("w", "sum 2"), ("source", "text")},
        kinds_={"values": "field"},
    ),
    picture("phase_map", {}, "z", x=LINE, y=LINE, z=np.ones((4, 4))),
    entry(
        "viz.small_multiples",
        panels={"one": {"a": np.ones((3, 2))}},
        columns=2,
        xlabel="layer",
        kinds_={"panels": "field", "columns": "count"},
    ),
    picture("sphere_map", {"f": "function", "levels": "count"}, f=lambda p: p[:, 0], levels=3),
    picture("sphere_masses", MASSES, x=X, w=np.full(5, 0.2), near=0.1, full=0.3),
    entry("viz.sphere_points", ax=FIGURE.add_subplot(projection="3d"), x=X),
    entry("viz.sphere_tracks", ax=FIGURE.add_subplot(projection="3d"), history=jnp.stack([X, X])),
    picture("staircase", {}, s=LINE, energy=LINE),
]

FOLDER = scratch()
IDENTITY = {"study": "toy", "fields": {"seed": 0}, "version": "1", "precision": "float64"}
PART = xr.Dataset({"x": ("t", np.array([0.1, 0.2]))})
IO = [
    entry(
        "io.Store",
        folder=FOLDER / "another",
        identity=IDENTITY,
        fine_={("folder", "text")},
        kinds_={"identity": "field"},
    ),
    entry("io.digest", value={"a": 1}, kinds_={"value": None}),
    entry("io.plain", value={"a": 1}, kinds_={"value": None}),
    entry("io.precision"),
    entry("io.software"),
    entry("io.described_code", identity=IDENTITY, kinds_={"identity": None}),
    entry("io.work_key", identity=IDENTITY, kinds_={"identity": None}),
    entry("io.identity_of", data=PART, kinds_={"data": None}),
    entry("io.blend", identity=IDENTITY, parts=[PART], kinds_={"identity": None}),
    entry("io.code_digest", kind=studies.Clustering, kinds_={"kind": None}),
    entry(
        "io.write_bytes",
        path=FOLDER / "a.bin",
        content=b"a",
        kinds_={"path": None, "content": None},
    ),
    entry("io.provenance"),
    entry("io.pack", data=PART, kinds_={"data": None}),
    entry("io.unpack", packed=io.pack(PART), kinds_={"packed": None}),
    entry("io.stamp", identity=IDENTITY, kinds_={"identity": "field"}),
    entry("io.strip", data=PART, kinds_={"data": "field"}),
    entry("io.version", package="jax"),
    entry(
        "io.write_json",
        path=FOLDER / "a.json",
        value=1,
        kinds_={"path": "field", "value": None},
    ),
]

CLUSTERING = studies.Clustering()
STUDIES = [
    entry("studies.available"),
    entry("studies.repeat", study=CLUSTERING, seeds=2, fine_={("study", "NaN")}),
    entry(
        "studies.Claim",
        name="2 = 2",
        measured=2.0,
        expected=2.0,
        tolerance=0.0,
        source="arithmetic",
        kinds_={
            "name": "field",
            "measured": "real",
            "expected": "real",
            "tolerance": "nonnegative",
            "source": "field",
        },
        fine_={
            ("measured", "NaN"),
            ("measured", "True"),
            ("expected", "True"),
            ("measured", "infinity"),
            ("expected", "infinity"),
        },
    ),
    *(
        entry(
            f"studies.{name}",
            kinds_={field.name: "field" for field in dataclasses.fields(kind)},
            **{field.name: field.default for field in dataclasses.fields(kind) if field.init},
        )
        for name, kind in inspect.getmembers(studies, inspect.isclass)
        if issubclass(kind, studies.Study) and kind is not studies.Study
    ),
]
ENTRIES = VIZ + IO + STUDIES
