"""Valid calls of paths between two laws, a part of those of optimal transport."""

from catalogue.entry import entry
from catalogue.things import COV, COV2

ENTRIES = [
    entry(
        "transport.best_schedule",
        low=0.5,
        high=3.0,
        kinds_={"low": "positive", "high": "positive"},
    ),
    entry(
        "transport.gaussian_bridge",
        A=COV,
        B=COV2,
        s=0.7,
        kinds_={"A": "matrix", "B": "matrix"},
    ),
]
MADE_BY = {
    "transport.BestSchedule": "transport.best_schedule",
    "transport.GaussianBridge": "transport.gaussian_bridge",
}
