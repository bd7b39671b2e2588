from __future__ import annotations

import numpy as np
import pytest

from components.train.calibration import LARGEST_TEMPERATURE, fit_temperature


def labelled_logits(count: int, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn with the probabilities that the logits, divided by `temperature`, stand for."""
    random = np.random.default_rng(3)
    logits = random.normal(0, 4, (count, 5)).astype(np.float32)
    noise = random.gumbel(size=logits.shape)
    return logits, (logits / temperature + noise).argmax(axis=1)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_labels_were_drawn_at_is_found(temperature: float) -> None:
    assert fit_temperature(*labelled_logits(20_000, temperature)) == pytest.approx(temperature, rel=0.04)


def test_no_other_temperature_has_a_smaller_cross_entropy() -> None:
    logits, labels = labelled_logits(2000, 2.0)
    found = fit_temperature(logits, labels)

    def cross_entropy(temperature: float) -> float:
        scaled = logits.astype(float) / temperature
        return float((np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(labels)), labels]).mean())

    assert cross_entropy(found) < min(cross_entropy(found * 1.05), cross_entropy(found / 1.05), cross_entropy(1.0))


def test_a_few_images_that_are_all_right_do_not_make_it_certain() -> None:
    logits = np.eye(3, dtype=np.float32) * 2
    found = fit_temperature(logits, np.arange(3))
    assert 1 / LARGEST_TEMPERATURE < found < 1
    assert fit_temperature(logits[:1], np.array([0])) > found


def test_a_model_that_is_always_wrong_is_made_unsure_and_no_more() -> None:
    logits = np.eye(3, dtype=np.float32)[np.zeros(5000, int)] * 8
    assert fit_temperature(logits, np.ones(5000, int)) == pytest.approx(LARGEST_TEMPERATURE, rel=1e-3)
