"""When two tokens have met without softmax, over time and beta (arXiv 2312.10794, appendix).

Above: the layers of the published code, whose step shrinks like e^{-beta}. Below: the flow, integrated
accurately. The panels are those of figure 3, up to the time 1.
"""

from meanfield.studies import PhaseDiagram

from .fig_2312_10794_phase_diagram import draw as draw

_SIZE = {
    "normalized": False,
    "end": 1.0,
    "checkpoints": 100,
    "betas": 45,
    "dimensions": (2, 32, 128),
}

STUDIES = {
    "layers": PhaseDiagram(faithful=True, realizations=32, **_SIZE),
    "flow": PhaseDiagram(realizations=32, **_SIZE),
}
