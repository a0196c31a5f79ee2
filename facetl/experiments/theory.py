"""What theory says of L2 and L2-SP where the loss is quadratic, and simulations to compare with.

Li, Grandvalet and Davoine, "Explicit inductive bias for transfer learning with convolutional
networks", ICML 2018.  With the penalty α/2 ‖w − t‖², whose target t is the origin for L2 and the
start w⁰ for L2-SP,

- the loss ½ (w − w*)ᵀ H (w − w*) has its penalised minimum at (H + αI)⁻¹ (H w* + α t);
- a linear regression y = X w* + ε, X with orthonormal columns and ε with variance σ², has the
  estimate (Xᵀy + α t) / (1 + α), its squared bias is (α / (1 + α))² ‖t − w*‖² and its variance
  p σ² / (1 + α)², p being the number of weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEAST_SQUARES, L2, L2_SP = "least squares", "L2", "L2-SP"
ESTIMATORS = (LEAST_SQUARES, L2, L2_SP)
_NOISES = 12


@dataclass(frozen=True, eq=False)
class Quadratic:
    """A loss ½ (w − w*)ᵀ H (w − w*), and where the descent on it starts.

    Attributes:
        hessian: (p, p) H, positive definite.
        minimum: (p,) w*.
        start: (p,) w⁰.
    """

    hessian: Array
    minimum: Array
    start: Array

    def target(self, estimator: str) -> Array:
        """Return the (p,) place that a penalty pulls to."""
        return self.start if estimator == L2_SP else np.zeros_like(self.start)

    def loss(self, weights: Array) -> Array:
        """Return the (...) losses of (..., p) weights, without a penalty."""
        away = weights - self.minimum
        return np.asarray(np.einsum("...i,ij,...j->...", away, self.hessian, away) / 2)

    def penalised_minimum(self, estimator: str, alpha: float) -> Array:
        """Return the (p,) minimum of loss and penalty in closed form."""
        alpha = _strength(estimator, alpha)
        pulled = self.hessian @ self.minimum + alpha * self.target(estimator)
        curvature = self.hessian + alpha * np.eye(len(self.minimum))
        return np.asarray(np.linalg.solve(curvature, pulled), np.float64)

    def descend(self, estimator: str, alpha: float, steps: int) -> Array:
        """Return the (steps + 1, p) weights of gradient descent on loss and penalty.

        The step size is a sixth of the reciprocal of the largest curvature, so that the path is
        close to that of the gradient flow.
        """
        alpha, target = _strength(estimator, alpha), self.target(estimator)
        rate = 1 / (6 * (float(np.linalg.eigvalsh(self.hessian)[-1]) + alpha))
        path = [self.start]
        for _ in range(steps):
            slope = self.hessian @ (path[-1] - self.minimum) + alpha * (path[-1] - target)
            path.append(path[-1] - rate * slope)
        return np.array(path)


def example_in_plane(distance: float) -> Quadratic:
    """Return a loss in a plane that starts ``distance`` · ‖w*‖ from its minimum w*."""
    turn = math.radians(35)
    axes = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    minimum = np.array([2.4, 0.9])
    aside = math.radians(75)
    away = distance * float(np.linalg.norm(minimum)) * np.array([math.cos(aside), math.sin(aside)])
    return Quadratic(axes @ np.diag([0.5, 2.0]) @ axes.T, minimum, minimum + away)


@dataclass(frozen=True)
class Moments:
    """Squared bias and variance of an estimate of p weights, summed over them.

    Attributes:
        bias: the squared bias; that of a simulation is without bias itself, and may be below 0.
        variance: the trace of the covariance.
        bias_error: standard error of ``bias``, 0 in closed form.
        variance_error: standard error of ``variance``, 0 in closed form.
    """

    bias: float
    variance: float
    bias_error: float = 0.0
    variance_error: float = 0.0

    @property
    def total(self) -> float:
        """Mean squared error: bias² and variance together."""
        return self.bias + self.variance

    @property
    def total_error(self) -> float:
        """Standard error of the mean squared error; mean and variance are independent."""
        return math.hypot(self.bias_error, self.variance_error)


@dataclass(frozen=True, eq=False)
class Regression:
    """A linear regression y = X w* + ε, and a start w⁰.

    Attributes:
        design: (n, p) X, with orthonormal columns.
        truth: (p,) w*.
        start: (p,) w⁰.
    """

    design: Array
    truth: Array
    start: Array

    @classmethod
    def example(cls, distance: float, seed: int, count: int = 40, width: int = 8) -> Regression:
        """Return one of n examples and p weights with ‖w*‖ = 1 and ‖w⁰ − w*‖ = ``distance``."""
        random = np.random.default_rng(seed)
        design = np.linalg.qr(random.standard_normal((count, width)))[0]
        truth, away = (_unit(random.standard_normal(width)) for _ in range(2))
        return cls(design, truth, truth + distance * away)

    def target(self, estimator: str) -> Array:
        """Return the (p,) place that a penalty pulls to."""
        return self.start if estimator == L2_SP else np.zeros_like(self.start)

    def in_theory(self, estimator: str, alpha: float, noise: float) -> Moments:
        """Return bias² and variance in closed form, of noise with standard deviation σ."""
        alpha = _strength(estimator, alpha)
        away = float(np.square(self.target(estimator) - self.truth).sum())
        width = self.design.shape[1]
        return Moments((alpha / (1 + alpha)) ** 2 * away, width * noise**2 / (1 + alpha) ** 2)

    def simulate(
        self, estimator: str, alpha: float, noise: float, draws: int, seed: int
    ) -> Moments:
        """Return bias² and variance of the estimates from so many draws of the noise.

        Each is the solution of the normal equations (XᵀX + αI) w = Xᵀy + αt.
        """
        alpha = _strength(estimator, alpha)
        width = self.design.shape[1]
        errors = np.random.default_rng(seed).standard_normal((draws, len(self.design)))
        observed = self.truth @ self.design.T + noise * errors
        normal = self.design.T @ self.design + alpha * np.eye(width)
        pulled = observed @ self.design + alpha * self.target(estimator)
        return _measure(np.linalg.solve(normal, pulled.T).T - self.truth)

    def break_even(self, estimator: str, alpha: float) -> float:
        """Return the noise σ from which on a penalty has a smaller error than least squares."""
        without, held = (self.in_theory(each, alpha, 1.0) for each in (LEAST_SQUARES, estimator))
        saved = without.variance - held.variance
        return math.sqrt(held.bias / saved)

    def noises(self, alpha: float) -> list[float]:
        """Return noises σ from small ones to beyond where both penalties break even."""
        top = 1.8 * max(self.break_even(estimator, alpha) for estimator in (L2, L2_SP))
        return [float(f"{top * step / _NOISES:.3g}") for step in range(1, _NOISES + 1)]


def _measure(deviations: Array) -> Moments:
    """Return bias² and variance of (draws, p) normal deviations, with their standard errors.

    ‖mean‖² exceeds the squared bias by the variance of the mean, which is taken off.
    """
    draws = len(deviations)
    mean, variances = deviations.mean(axis=0), deviations.var(axis=0, ddof=1)
    of_mean = variances / draws
    bias = float(np.square(mean).sum() - of_mean.sum())
    bias_error = math.sqrt(float((4 * np.square(mean) * of_mean + 2 * np.square(of_mean)).sum()))
    variance_error = math.sqrt(float(2 * np.square(variances).sum() / (draws - 1)))
    return Moments(bias, float(variances.sum()), bias_error, variance_error)


def _strength(estimator: str, alpha: float) -> float:
    return 0.0 if estimator == LEAST_SQUARES else alpha


def _unit(vector: Array) -> Array:
    return np.asarray(vector / np.linalg.norm(vector))
