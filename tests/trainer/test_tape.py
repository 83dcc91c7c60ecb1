"""Recorded computations that mxnet knows nothing of, against closed formulas."""

from __future__ import annotations

import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd

from edgegan.trainer.tape import Tape


class Squares:
    """x -> x^2 by numpy, and how often it went backward, with what was wanted, and finished."""

    def __init__(self) -> None:
        self.wanted: list[bool] = []
        self.finished = 0

    def __call__(self, x: mx.nd.NDArray) -> mx.nd.NDArray:
        y = mx.nd.array(x.asnumpy() ** 2)
        assert Tape.current
        self.latest = x
        Tape.current.add(self, x, y)
        return y

    def backward(self, gradient: mx.nd.NDArray, wanted: bool) -> mx.nd.NDArray | None:
        self.wanted.append(wanted)
        return 2 * self.latest * gradient if wanted else None

    def finish(self) -> None:
        self.finished += 1


def variable(*numbers: float) -> mx.nd.NDArray:
    array = mx.nd.array(np.float32(numbers))
    array.attach_grad()
    return array


def test_gradients_go_through_what_mxnet_does_not_know() -> None:
    x, squares, tape = variable(1, -2, 3), Squares(), Tape()
    with tape.record():
        loss = (5 * squares(3 * x)).sum()  # 45 x^2
    tape.backward([loss])
    np.testing.assert_allclose(x.grad.asnumpy(), 90 * x.asnumpy())
    assert (squares.wanted, squares.finished) == ([True], 1)


def test_they_add_up_where_what_it_gave_is_used_twice_and_recorded_in_parts() -> None:
    x, first, second, tape = variable(1, -2), Squares(), Squares(), Tape()
    with tape.record():
        y = first(2 * x)  # 4 x^2
        loss = (3 * y).sum()  # 12 x^2
    assert Tape.current is None
    with tape.record():
        further = second(y).sum()  # 16 x^4
    tape.backward([loss, further])
    expected = 24 * x.asnumpy() + 64 * x.asnumpy() ** 3
    np.testing.assert_allclose(x.grad.asnumpy(), expected, rtol=1e-6)
    assert first.finished == second.finished == 1


def test_what_mxnet_computed_once_can_lead_to_several_ends() -> None:
    """As of pictures that a loss looks at, and a discriminator as well."""
    x, squares, tape = variable(1, -2), Squares(), Tape()
    x.attach_grad("add")
    with tape.record():
        z = mx.nd.tanh(x)
        losses = [z.sum(), squares(3 * z).sum()]  # tanh x + 9 tanh^2 x
    tape.backward(losses)
    tanh = np.tanh(x.asnumpy())
    np.testing.assert_allclose(x.grad.asnumpy(), (1 + 18 * tanh) * (1 - tanh**2), rtol=1e-5)


def test_nothing_is_wanted_of_what_nothing_learns_from() -> None:
    weight, squares, tape = variable(2), Squares(), Tape()
    with tape.record():
        loss = (weight * squares(mx.nd.array([1.0, 2.0]))).sum()
    tape.backward([loss])
    assert weight.grad.asnumpy() == 5
    assert squares.wanted == [False]


def test_what_is_computed_of_constants_ends_there() -> None:
    weight, squares, tape = variable(2), Squares(), Tape()
    with tape.record():
        constant = 2 * mx.nd.array([1.0, 2.0])
        loss = (weight * squares(constant)).sum()
    tape.backward([loss])
    assert weight.grad.asnumpy() == 20


def test_a_tape_that_went_backward_is_empty_and_can_record_again() -> None:
    x, squares, tape = variable(3), Squares(), Tape()
    for _ in range(2):
        with tape.record():
            loss = squares(2 * x).sum()
        tape.backward([loss])
        assert x.grad.asnumpy() == 24
    assert squares.finished == 2


def test_what_mxnet_refuses_is_told() -> None:
    with pytest.raises(mx.MXNetError):
        Tape().backward([mx.nd.ones(1)])


def test_recording_ends_with_an_error_in_between() -> None:
    with pytest.raises(ZeroDivisionError), Tape().record():
        1 / 0  # noqa: B018
    assert Tape.current is None
    assert not autograd.is_recording()
