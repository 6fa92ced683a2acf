from pathlib import Path

from ..._checks import check_choice
from ..models import Transformer, read

KINDS = ("softmax", "sinkhorn")


def trained(attention: str = "softmax") -> Transformer:
    """A small transformer that comes with the package, trained here to guess hidden characters.

        model = mf.latents.trained("sinkhorn")
        ids = model.encode("The statement returns its value.")
        ids[25] = model.tokenizer.mask
        words = model.logits(model.states(ids)[-1])[25]

    Three layers of four heads in R^32, for windows of up to 32 printable characters, with weights of
    `attention` "softmax" or "sinkhorn" (three iterations after softmax, Sander et al., arXiv
    2110.11773). Text: Python's help. `data/README.md` says how they were trained.

    Raises ValueError for another attention.
    """
    kind = check_choice(attention, KINDS, "attention")
    return read(Path(__file__).parents[1] / "data" / f"masked_{kind}")
