"""What is recorded of one update, by mxnet and by what computes beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar, NamedTuple, Optional, Protocol

from edgegan.trainer.framework import NDArray, autograd, mx

NOTHING_LEARNS = "There are no inputs in computation graph that require gradients"  # says mxnet


class Recorded(Protocol):
    """A computation that mxnet's autograd knows nothing of."""

    def backward(self, gradient: NDArray, wanted: bool) -> NDArray | None:
        """The gradient at what it took, where that is wanted, from the one at what it gave."""

    def finish(self) -> None:
        """Hand over the gradients of parameters, once all that was recorded has gone backward."""


class _Entry(NamedTuple):
    computation: Recorded
    source: NDArray
    target: NDArray


class Tape:
    """Records computations and goes backward through them, the last first.

    mxnet's autograd ends at what another computation gave, and goes on from what it took: it goes
    backward several times. So what another computation takes must not be made of parameters whose
    gradients mxnet writes, and does not add up.
    """

    current: ClassVar[Optional[Tape]] = None  # noqa: UP045 (as elsewhere)

    def __init__(self) -> None:
        self.update = object()  # another one whenever it goes backward: parameters may learn then
        self._entries: list[_Entry] = []

    @contextmanager
    def record(self) -> Iterator[None]:
        """Record what is computed within, also in several parts."""
        before, Tape.current = Tape.current, self
        try:
            with autograd.record():
                yield
        finally:
            Tape.current = before

    def add(self, computation: Recorded, source: NDArray, target: NDArray) -> None:
        """Note that a computation made ``target`` of ``source``."""
        target.attach_grad("add")
        self._entries.append(_Entry(computation, source, target))

    def backward(self, losses: Sequence[NDArray]) -> None:
        """Set the gradients of the sum of losses at all that was recorded; it is empty then.

        To the gradient of an array that a computation took as it was given, it is added.
        """
        autograd.backward(losses, retain_graph=bool(self._entries))
        computations = {id(entry.computation): entry.computation for entry in self._entries}
        while self._entries:
            computation, source, target = self._entries.pop()
            wanted = source.grad is not None or _is_computed(source)
            gradient = computation.backward(target.grad, wanted)
            if gradient is None:
                continue
            if source.grad is None:
                _go_on_backward(source, gradient)
            else:
                total = source.grad
                total += gradient
        for computation in computations.values():
            computation.finish()
        self.update = object()


def _is_computed(array: NDArray) -> bool:
    """Whether mxnet has recorded how an array came about."""
    try:
        autograd.get_symbol(array)
    except mx.MXNetError:
        return False
    return True


def _go_on_backward(array: NDArray, gradient: NDArray) -> None:
    """Set the gradients of what mxnet has made an array of, if anything there wants one."""
    try:
        # Others may lead to the same place, where mxnet would have forgotten how it came about.
        autograd.backward([array], [gradient], retain_graph=True)
    except mx.MXNetError as error:
        if NOTHING_LEARNS not in str(error):
            raise
