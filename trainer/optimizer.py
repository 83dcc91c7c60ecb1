"""One network's optimizer, whose whole state can be saved as arrays and set again."""

from __future__ import annotations

import numpy as np

from edgegan.trainer.bfloat16 import stored_parameters
from edgegan.trainer.framework import HybridBlock, Parameter, mx
from edgegan.trainer.recipe import OptimizerRecipe


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

    def __init__(self, network: HybridBlock, recipe: OptimizerRecipe) -> None:
        self.parameters = trained_parameters(network)
        self.recipe = recipe
        self._start(updates=0)

    def _start(self, updates: int) -> None:
        self.updates = updates
        self._updater = mx.optimizer.get_updater(_make(self.recipe, updates))

    def step(self, epoch: float = 0.0) -> None:
        """Update every parameter once; ``epoch``, the passes made, decides the learning rate."""
        if self.recipe.drops:
            self._updater.optimizer.set_learning_rate(
                self.recipe.learning_rate * self.recipe.drops.scale(epoch)
            )
        for index, parameter in enumerate(self.parameters):
            self._updater(index, parameter.grad(), parameter.data())
        self.updates += 1

    def gradient_norm(self) -> mx.nd.NDArray:
        """The Euclidean norm of all gradients together, float32 (1,)."""
        gradients = [parameter.grad() for parameter in self.parameters]
        squares = mx.nd.multi_sum_sq(*gradients, num_arrays=len(gradients))
        return squares.sum().sqrt()

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


def _make(recipe: OptimizerRecipe, updates: int) -> mx.optimizer.Optimizer:
    """An optimizer that has made ``updates`` updates already (Adam's bias correction counts)."""
    if recipe.name == "adam":
        return mx.optimizer.Adam(
            recipe.learning_rate, recipe.beta1, recipe.decay, begin_num_update=updates
        )
    if recipe.name == "sgd":
        return mx.optimizer.SGD(
            recipe.beta1, learning_rate=recipe.learning_rate, begin_num_update=updates
        )
    # mxnet adds epsilon to the mean square under the root, others to the root: 1e-8 squared there
    # is their 1e-8, where mxnet's own 1e-8 would all but stop the small gradients of a clipped
    # critic.
    return mx.optimizer.RMSProp(
        recipe.learning_rate, recipe.decay, epsilon=1e-16, begin_num_update=updates
    )


def _as_tuple(
    averages: mx.nd.NDArray | tuple[mx.nd.NDArray, ...] | None,
) -> tuple[mx.nd.NDArray, ...]:
    if averages is None:  # SGD without momentum
        return ()
    return averages if isinstance(averages, tuple) else (averages,)
