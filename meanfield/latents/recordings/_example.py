from pathlib import Path

from ._files import load
from ._recording import Recording


def example() -> Recording:
    """A recording that comes with the package: 64 tokens in SmolLM2-135M-Instruct, every third layer.

    States [11, 64, 576] in half precision, at layers 0, 3, ..., 30, with the ids of the tokens. Token 0
    is an attention sink. Weights: Hugging Face, Apache-2.0 (Ben Allal et al., arXiv 2502.02737).
    """
    return load(Path(__file__).parents[1] / "data" / "smollm2_135m.nc")
