"""One network's optimizer, whose whole state can be saved as arrays and set again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgegan.trainer.bfloat16 import stored_parameters
from edgegan.trainer.framework import HybridBlock, Parameter, mx
from edgegan.trainer.optimizers import Optimizer
from edgegan.trainer.schedules import Pace


def trained_parameters(network: HybridBlock) -> list[Parameter]:
    """The parameters that gradients train: no running statistics, no singular vectors."""
    return [
        parameter
        for parameter in stored_parameters(network).values()
        if not parameter.name.endswith(("running_mean", "running_var", "left_vector"))
    ]


class NetworkOptimizer:
    """Updates one network's trained parameters from their gradients.

    It drives mxnet's updater without a gluon Trainer, whose state is a pickle that cannot be read
    safely and, on a distributed store, shares its keys with every other Trainer.
    """

    def __init__(
        self, network: HybridBlock, optimizer: Optimizer, pace: Pace | None = None
    ) -> None:
        """``pace`` tells how long an epoch is to the optimizer's schedule, where it has one."""
        self.parameters = trained_parameters(network)
        self.optimizer = optimizer
        self._rates: Callable[[int], float] | None = None
        if optimizer.schedule and pace:
            self._rates = optimizer.schedule.rates(optimizer.learning_rate, pace)
        self._start(updates=0)

    def _start(self, updates: int) -> None:
        self.updates = updates
        self._updater = mx.optimizer.get_updater(self.optimizer.make(updates))

    def step(self) -> None:
        """Update every parameter once, at the learning rate that the schedule has for it."""
        if self._rates:
            self._updater.optimizer.set_learning_rate(self._rates(self.updates))
        for index, parameter in enumerate(self.parameters):
            self._updater(index, parameter.grad(), parameter.data())
        self.updates += 1

    def gradient_norm(self) -> mx.nd.NDArray:
        """The Euclidean norm of all gradients together, float32 (1,)."""
        gradients = (parameter.grad().reshape((-1,)) for parameter in self.parameters)
        return mx.nd.add_n(*(mx.nd.dot(each, each) for each in gradients)).sqrt()

    def state(self) -> dict[str, np.ndarray]:
        """Everything that later updates depend on: averages by parameter, and the count."""
        arrays = {"updates": np.array(self.updates)}
        for index, averages in self._updater.states.items():
            for number, average in enumerate(_as_tuple(averages)):
                arrays[f"{self.parameters[index].name}/{number}"] = average.asnumpy()
        return arrays

    def set_state(self, arrays: dict[str, np.ndarray]) -> None:
        """Go on from what ``state`` gave."""
        self._start(int(arrays["updates"]))
        if not self.updates:
            return
        optimizer = self._updater.optimizer
        for index, parameter in enumerate(self.parameters):
            averages = optimizer.create_state_multi_precision(index, parameter.data())
            for number, average in enumerate(_as_tuple(averages)):
                average[:] = arrays[f"{parameter.name}/{number}"]
            self._updater.states[index] = averages
            self._updater.states_synced[index] = True


def _as_tuple(
    averages: mx.nd.NDArray | tuple[mx.nd.NDArray, ...] | None,
) -> tuple[mx.nd.NDArray, ...]:
    if averages is None:  # SGD without momentum
        return ()
    return averages if isinstance(averages, tuple) else (averages,)
