from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from ..._typing import Scalar
from ..models import Transformer
from ._text import Batch, draw


class Saved(NamedTuple):
    """A model after some steps, and the mean loss of the steps since the last one (NaN at the start)."""

    step: int
    model: Transformer
    loss: float


def masked_loss(model: Transformer, batch: Batch) -> Scalar:
    """The mean over hidden characters of minus the log probability that the model gives them, in nats.

    The model sees the others alone: `batch.shown`. No character that it sees counts.
    """

    def logits(ids: Int[Array, " n"]) -> Float[Array, "n vocabulary"]:
        return model.logits(model.forward(model.embed(ids)))

    logs = jax.nn.log_softmax(jax.vmap(logits)(jnp.asarray(batch.shown)))
    own = jnp.take_along_axis(logs, jnp.asarray(batch.ids)[..., None], axis=-1)[..., 0]
    counted = jnp.asarray(batch.hidden).astype(own.dtype)
    return -(own * counted).sum() / counted.sum()


def next_losses(model: Transformer, batch: Batch) -> Float[Array, " places"]:
    """Minus the mean log probability of the next character, by the place before it, in nats.

    The model sees a window but for its last character, and tells each of it but the first. Under a causal
    softmax a place sees what came before. Causal `Sinkhorn` attention is no such model: the columns that
    it makes right take in the rows of all places, so that each sees a little of what comes behind it.
    The last place alone has nothing behind it.
    """
    ids = jnp.asarray(batch.ids)

    def logits(ids: Int[Array, " n"]) -> Float[Array, "n vocabulary"]:
        return model.logits(model.forward(model.embed(ids)))

    logs = jax.nn.log_softmax(jax.vmap(logits)(ids[..., :-1]))
    return -jnp.take_along_axis(logs, ids[..., 1:, None], axis=-1)[..., 0].mean(axis=0)


def next_loss(model: Transformer, batch: Batch) -> Scalar:
    """The mean of `next_losses` over the places of a window."""
    return next_losses(model, batch).mean()


def last_loss(model: Transformer, batch: Batch) -> Scalar:
    """The last of `next_losses`: that of whoever has seen all of the window but its end."""
    return next_losses(model, batch)[-1]


def train(
    model: Transformer,
    ids: Int[np.ndarray, " text"],
    steps: int,
    rate: float,
    batch: int = 16,
    saves: int = 10,
    seed: int = 0,
    loss: Callable[[Transformer, Batch], Scalar] = masked_loss,
) -> Iterator[Saved]:
    """The model at the start and after each of `saves` equal parts of the training, of `steps` in all.

    Adam on the `loss` of random windows: the rate rises to `rate` over the first twentieth of the
    steps and falls to a fortieth along a cosine; gradients longer than 1 are shortened. `seed` draws
    the windows.
    """
    each = steps // saves
    optimizer = _optimizer(rate, each * saves)
    arrays, rest = eqx.partition(model, eqx.is_inexact_array)
    state = optimizer.init(arrays)
    yield Saved(0, model, float("nan"))
    for part in range(saves):
        seen = draw(ids, (each, batch), model.longest, seed * saves + part)
        windows = Batch(jnp.asarray(seen.ids, jnp.int32), jnp.asarray(seen.hidden))
        arrays, state, losses = _steps(
            arrays, state, windows, rest, jnp.float32(rate), each * saves, loss
        )
        now: Any = eqx.combine(arrays, rest)
        yield Saved((part + 1) * each, now, float(losses.mean()))


def _optimizer(rate, steps: int) -> optax.GradientTransformation:
    warm = max(1, steps // 20)
    shape = optax.warmup_cosine_decay_schedule(0.0, 1.0, warm, steps, 1 / 40)
    plain = optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_adam())
    return optax.chain(plain, optax.scale_by_schedule(lambda k: -rate * shape(k)))


@eqx.filter_jit
def _steps(arrays, state, windows: Batch, rest, rate: Scalar, steps: int, loss_of: Callable):
    """Steps of one shape compile once, whatever the rate."""
    optimizer = _optimizer(rate, steps)

    def step(carry, batch: Batch):
        arrays, state = carry
        loss = lambda a: loss_of(eqx.combine(a, rest), batch)
        value, gradient = jax.value_and_grad(loss)(arrays)
        with jax.numpy_dtype_promotion("standard"):  # optax raises a float to an integer power
            updates, state = optimizer.update(gradient, state)
        return (optax.apply_updates(arrays, updates), state), value

    (arrays, state), losses = jax.lax.scan(step, (arrays, state), windows)
    return arrays, state, losses
