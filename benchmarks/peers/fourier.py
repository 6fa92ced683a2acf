"""Pseudo-spectral steps on the circle as one writes them in NumPy."""

import numpy as np

from .._contest import Work


def steps(nodes: int, beta: float, noise: float, tau: float, count: int) -> Work:
    """Steps of Runge and Kutta's method of order 4 from 1 + cos(theta)/2: values at the nodes.

    d_t rho = noise rho'' - (rho A)', A = (e^{beta cos} sin * rho)/(e^{beta cos} * rho).
    """
    angles = 2 * np.pi * np.arange(nodes) / nodes
    waves = np.arange(nodes // 2 + 1)
    mass = np.fft.rfft(np.exp(beta * (np.cos(angles) - 1)))
    pull = np.fft.rfft(np.exp(beta * (np.cos(angles) - 1)) * -np.sin(angles))
    start = 1 + 0.5 * np.cos(angles)

    def rate(rho):
        modes = np.fft.rfft(rho)
        velocity = np.fft.irfft(pull * modes, nodes) / np.fft.irfft(mass * modes, nodes)
        flux = np.fft.rfft(rho * velocity)
        return np.fft.irfft(-noise * waves**2 * modes - 1j * waves * flux, nodes)

    def run():
        rho = start
        for _ in range(count):
            one = rate(rho)
            two = rate(rho + tau / 2 * one)
            three = rate(rho + tau / 2 * two)
            four = rate(rho + tau * three)
            rho = rho + tau / 6 * (one + 2 * two + 2 * three + four)
        return rho

    return run
