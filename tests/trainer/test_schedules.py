"""Schedules against what drops were before, against PyTorch's, and against the formulas."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgegan.trainer.schedules import Pace, Schedule
from edgegan.trainer.schedules.constant import Constant
from edgegan.trainer.schedules.cosine import Cosine
from edgegan.trainer.schedules.step import Step

TEN_A_PASS = Pace(pictures=1000, images_a_step=100)


def rates(schedule: Schedule, pace: Pace, count: int, learning_rate: float = 2e-4) -> list[float]:
    rate_of = schedule.rates(learning_rate, pace)
    return [rate_of(update) for update in range(count)]


def dropped(
    epochs: tuple[float, ...], factor: float, pace: Pace, count: int, learning_rate: float = 2e-4
) -> list[float]:
    """What drops were before they counted updates: by the passes over before each step."""
    found = []
    for update in range(count):
        step = update // pace.updates_a_step
        epoch = step * pace.images_a_step / pace.pictures
        found.append(learning_rate * float(factor ** sum(epoch >= drop for drop in epochs)))
    return found


@pytest.mark.parametrize("updates_a_step", [1, 5])
@pytest.mark.parametrize("pictures", [100, 16_195, 1237])
@pytest.mark.parametrize(
    ("epochs", "factor"), [((3, 10, 17), 0.6), ((0.05,), 0.1), ((0.1, 0.3, 0.7, 1.1), 0.5)]
)
def test_steps_are_the_drops_of_older_versions_on_each_of_2000_updates(
    epochs: tuple[float, ...], factor: float, pictures: int, updates_a_step: int
) -> None:
    pace = Pace(pictures, 32 * updates_a_step, updates_a_step)
    found = rates(Step(epochs, factor), pace, 2000)
    assert found == dropped(epochs, factor, pace, 2000)
    assert len(set(found)) > 1


@given(
    st.lists(st.decimals(min_value="0.01", max_value=9, places=2), min_size=1, max_size=4),
    st.integers(1, 5000),
    st.integers(1, 128),
    st.integers(1, 5),
)
def test_steps_are_at_the_same_update_as_the_drops_of_older_versions(
    epochs: list, pictures: int, images: int, updates: int
) -> None:
    pace, drops = Pace(pictures, images * updates, updates), tuple(map(float, epochs))
    rate_of = Step(drops, 0.5).rates(1.0, pace)
    for drop in drops:
        # An update before the drop, the drop's own, and one after.
        around = math.ceil(drop * pictures / (images * updates)) * updates
        for update in range(max(around - updates - 1, 0), around + updates + 1):
            epoch = update // updates * images * updates / pictures
            assert rate_of(update) == 0.5 ** sum(epoch >= each for each in drops)


def test_the_cosine_is_that_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=0.5)
    # PyTorch's is at its least after as many updates, gluoncv's at the last of them.
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=49, eta_min=0.05)
    expected = []
    for _ in range(50):
        expected.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    found = rates(Cosine(epochs=5, factor=0.1), TEN_A_PASS, 60, learning_rate=0.5)
    assert found[:50] == pytest.approx(expected, rel=1e-9)
    assert found[50:] == [pytest.approx(0.05)] * 10


@pytest.mark.parametrize(
    "schedule",
    [
        Constant(warm_up=2),
        Step(epochs=(5,), factor=0.5, warm_up=2),
        Cosine(epochs=5, warm_up=2),
    ],
)
def test_a_warm_up_rises_evenly_to_the_whole_learning_rate(schedule: Schedule) -> None:
    found = rates(schedule, TEN_A_PASS, 80, learning_rate=1.0)
    assert found[:20] == pytest.approx([(update + 1) / 20 for update in range(20)])
    assert found[20] == 1
    assert max(found) == 1


def test_steps_are_counted_from_the_beginning_of_training_and_not_of_the_warm_up() -> None:
    found = rates(Step(epochs=(3, 5), factor=0.5, warm_up=2), TEN_A_PASS, 60, learning_rate=1.0)
    assert found[20:] == [1] * 10 + [0.5] * 20 + [0.25] * 10


@pytest.mark.parametrize("warm_up", [0.0, 0.001, 0.1])
def test_a_warm_up_of_an_update_or_less_is_none(warm_up: float) -> None:
    assert rates(Constant(warm_up), TEN_A_PASS, 5, learning_rate=1.0) == [1] * 5


@pytest.mark.parametrize("schedule", [Cosine(epochs=1e-3), Step(epochs=(1e-3,), factor=0.5)])
def test_a_schedule_shorter_than_a_step_has_rates_too(schedule: Schedule) -> None:
    assert all(0 <= rate <= 1 for rate in rates(schedule, TEN_A_PASS, 5, learning_rate=1.0))
