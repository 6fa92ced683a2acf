"""exponax: exponential Runge-Kutta steps of order 4 (Cox and Matthews) in Fourier modes, in jax."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from .._contest import Work, called, need


def circle(angles: np.ndarray, noise: float, end: float, steps: int) -> Work:
    """d_t rho = noise rho'' + (rho V')', V = cos(theta), from 1 + cos(theta)/2: values at the angles."""
    ex = _library()
    slope = jnp.asarray(-np.sin(angles))
    stepper = _stepper(len(angles), noise, end / steps, lambda rho: -rho * slope)
    run = ex.repeat(stepper, steps)
    return called(lambda rho: run(rho[None])[0], jnp.asarray(1 + 0.5 * np.cos(angles)))


def steps(nodes: int, beta: float, noise: float, tau: float, count: int) -> Work:
    """Steps of d_t rho = noise rho'' - (rho A)', A = (e^{beta cos} sin * rho)/(e^{beta cos} * rho)."""
    ex = _library()
    angles = 2 * np.pi * np.arange(nodes) / nodes
    kernel = np.exp(beta * (np.cos(angles) - 1))
    mass, pull = (jnp.asarray(np.fft.rfft(k)) for k in (kernel, kernel * -np.sin(angles)))

    def flux(rho):
        modes = jnp.fft.rfft(rho)
        return rho * jnp.fft.irfft(pull * modes, nodes) / jnp.fft.irfft(mass * modes, nodes)

    run = ex.repeat(_stepper(nodes, noise, tau, flux), count)
    return called(lambda rho: run(rho[None])[0], jnp.asarray(1 + 0.5 * np.cos(angles)))


def _library():
    need("exponax")
    import exponax

    return exponax


def _stepper(nodes: int, noise: float, tau: float, flux: Callable[[jax.Array], jax.Array]):
    """Steps of d_t rho = noise rho'' - flux(rho)', in the form that the library asks for."""
    ex = _library()

    class Transport(ex.nonlin_fun.BaseNonlinearFun):
        slope: jax.Array

        def __init__(self, slope):
            super().__init__(1, nodes)
            self.slope = slope

        def __call__(self, u_hat):
            return -self.slope * self.fft(flux(self.ifft(u_hat)))

    class FokkerPlanck(ex.BaseStepper):
        def _build_linear_operator(self, derivative_operator):
            return noise * derivative_operator**2

        def _build_nonlinear_fun(self, derivative_operator):
            return Transport(derivative_operator)

    return FokkerPlanck(1, 2 * np.pi, nodes, tau, num_channels=1, order=4)
