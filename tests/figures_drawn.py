"""The figures of papers, those that are drawn in every run of the tests, and the studies in them."""

import importlib
from functools import cache
from pathlib import Path
from types import ModuleType

from meanfield.studies import available

FOLDER = Path(__file__).parents[1] / "paper_figs"
FIGURES = sorted(path.stem for path in FOLDER.glob("fig_*.py"))
# A minute each, for studies that no fast test shares with them: drawn from results that are kept.
LONG = (
    "fig_2110_11773_columns",
    "fig_2110_11773_heat_kernel",
    "fig_2110_11773_heat_limit",
    "fig_2110_11773_trained",
    "fig_2312_10794_circle",
    "fig_2312_10794_clusters",
    "fig_2312_10794_layers",
    "fig_2312_10794_limits",
    "fig_2312_10794_phase_diagram",
    "fig_2312_10794_random_matrices",
    "fig_2312_10794_sphere",
    "fig_2312_10794_unnormalized",
    "fig_2407_01602_leaders",
    "fig_2410_06833_circle",
    "fig_2410_06833_staircase",
    "fig_2410_23228_particles",
    "fig_2410_23228_pde",
    "fig_2501_03096_matrices",
    "fig_2501_18322_covariances",
    "fig_2502_16570_layers",
    "fig_2507_22857_sync_map",
    "fig_2509_25040_phases",
    "fig_2510_22026_normalization",
    "fig_2601_21942_random_values",
    "fig_2603_16535_momentum",
    "fig_2605_07772_escape",
    "fig_2606_05140_bifurcation",
    "fig_adapted_distances",
    "fig_aggregators",
    "fig_barycenters_sphere",
    "fig_causal_characters",
    "fig_causeformer",
    "fig_consensus",
    "fig_cuturi_2014_ellipses",
    "fig_decision",
    "fig_drift_by_layer",
    "fig_escape_times",
    "fig_games_attention",
    "fig_games_players",
    "fig_games_prices",
    "fig_games_steering",
    "fig_gating",
    "fig_one_push",
    "fig_positions",
    "fig_saddles",
    "fig_window_limit",
)


def module(name: str) -> ModuleType:
    """The module of a figure."""
    return importlib.import_module(f"paper_figs.{name}")


@cache
def drawn() -> frozenset[str]:
    """The names of studies whose claims are held where a figure of theirs is drawn."""
    fast = [module(name) for name in FIGURES if name not in LONG]
    kinds = {type(study) for figure in fast for study in figure.STUDIES.values()}
    return frozenset(name for name, kind in available().items() if kind in kinds)
