from __future__ import annotations

import pytest

from components.train import TrainConfig, schedule


@pytest.mark.parametrize(("step", "fraction"), [(0, 0.2), (23, 1.0), (100, 0.07), (61.5, 0.535)])
def test_the_rate_is_a_triangle(step: int, fraction: float) -> None:
    recipe = TrainConfig(recipe="small_data", warmup_fraction=0.23, initial_rate_fraction=0.2, final_rate_fraction=0.07)

    assert schedule.rate_fraction(recipe, step, step / 100) == pytest.approx(fraction)


def test_without_warm_up_the_first_rate_is_the_full_one() -> None:
    assert schedule.rate_fraction(TrainConfig(recipe="small_data", warmup_fraction=0.0), 0, 0.0) == 1


def test_the_tutorials_rate_decays_as_keras_did_it() -> None:
    recipe = TrainConfig(recipe="tutorial")

    assert schedule.rate_fraction(recipe, 50_000, 1 / 3) == pytest.approx(1 / (1 + 1e-6 * 50_000))


def test_the_whitening_bias_freezes_after_its_epochs() -> None:
    recipe = TrainConfig(recipe="small_data", whitening_bias_epochs=2.0)

    assert [schedule.whitening_rate_fraction(recipe, epoch) for epoch in (0, 1, 2, 3)] == [1, 0.5, 0, 0]
    assert schedule.whitening_rate_fraction(TrainConfig(recipe="small_data", whitening_bias_epochs=0.0), 0) == 0


def test_images_grow_when_the_schedule_says_so() -> None:
    recipe = TrainConfig(recipe="small_data", resolution_schedule=((0.0, 0.5), (0.4, 0.75), (0.75, 1.0)))

    assert [schedule.size_fraction(recipe, step / 100) for step in (0, 39, 40, 74, 75, 99)] == [
        *(0.5, 0.5),
        *(0.75, 0.75),
        *(1.0, 1.0),
    ]


def test_lookahead_ends_with_the_slow_weights() -> None:
    assert schedule.lookahead_decay(1.0, 5) == 1
    assert schedule.lookahead_decay(0.5, 5) == pytest.approx(0.95**5 / 8)
