"""PyTorch: attention written out, its fused attention, and gradients of a trajectory."""

import os

import numpy as np

from .._contest import Work, need


def attention(x, beta: float, fused: bool = True) -> Work:
    """scaled_dot_product_attention of one head, or the same written out."""
    torch, x = _tokens(x)
    if fused:
        tokens = x[None, None]
        product = torch.nn.functional.scaled_dot_product_attention
        work = lambda: product(tokens, tokens, tokens, scale=beta)[0, 0]
    else:
        work = lambda: torch.softmax(beta * x @ x.T, dim=-1) @ x
    return lambda: _done(torch, work())


def trajectory_gradient(x, beta: float, step: float, steps: int) -> Work:
    """The gradient in the start of sum_i cos(i) x_i(T), through Euler steps with renormalization."""
    torch, start = _tokens(x)
    pattern = torch.cos(torch.arange(start.numel(), dtype=start.dtype, device=start.device))

    def run():
        x = x0 = start.clone().requires_grad_()
        for _ in range(steps):
            pull = torch.nn.functional.scaled_dot_product_attention(
                x[None, None], x[None, None], x[None, None], scale=beta
            )[0, 0]
            pull = pull - (pull * x).sum(-1, keepdim=True) * x
            x = torch.nn.functional.normalize(x + step * pull, dim=-1)
        (x.ravel() * pattern).sum().backward()
        return _done(torch, x0.grad)

    return run


def _tokens(x):
    need("torch")
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch, torch.from_numpy(np.array(x)).to(device)


def _done(torch, result) -> np.ndarray:
    """The result on the host, once it is there."""
    return result.detach().cpu().numpy()
