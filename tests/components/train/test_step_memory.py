from __future__ import annotations

import re

import pytest
import tensorflow as tf

from components.artifacts import Examples
from components.component import ComponentError
from components.train import TrainConfig
from components.train.classifier import Classifier
from components.train.data import batches
from components.train.loop import Training
from components.train.step_memory import refuse_too_large_step, step_bytes
from components.train.training import build_network
from tests.components.train.helpers import quick_config, statistics_of

NUMBERS = 1_000_000
BYTES = 4 * NUMBERS


def graph_of(compute: object) -> tf.Graph:
    return tf.function(compute, autograph=False).get_concrete_function(tf.TensorSpec((NUMBERS,))).graph  # type: ignore[operator]


def test_a_tensor_is_counted_until_it_is_read_for_the_last_time() -> None:
    """Of a chain, two are there at once: what is read and what is written."""
    assert step_bytes(graph_of(lambda x: tf.exp(tf.exp(tf.exp(tf.exp(x)))))) == pytest.approx(2 * BYTES, rel=1e-3)


def test_what_is_read_again_later_stays() -> None:
    def kept(x: tf.Tensor) -> tf.Tensor:
        first, second = tf.exp(x), tf.exp(x + 1)
        return tf.exp(tf.exp(second)) * first

    assert step_bytes(graph_of(kept)) == pytest.approx(3 * BYTES, rel=1e-3)


def test_another_shape_of_the_same_numbers_takes_nothing() -> None:
    shaped = graph_of(lambda x: tf.exp(tf.reshape(tf.reshape(tf.exp(x), (10, -1)), (-1,))))
    assert step_bytes(shaped) == pytest.approx(2 * BYTES, rel=1e-3)


def training_of(config: TrainConfig, tiny: Examples) -> Training:
    network = build_network(config, statistics_of(tiny).splits["train"], 32, 32, len(tiny.class_names))
    classifier = Classifier(network, 32, 32, tiny.class_names, config.mirror_averaging)
    return Training(config, classifier, batches(tiny, "train", 32, 32, 100), 0)


def test_a_step_that_does_not_fit_is_refused_with_both_numbers_and_what_to_lower(tiny: Examples) -> None:
    training = training_of(quick_config(widths=(128, 256, 256), batch_size=96), tiny)
    with pytest.raises(ComponentError) as refused:
        refuse_too_large_step(training, left_bytes=150_000_000)
    found = re.fullmatch(
        r"Training by the recipe small_data would take about (.*) GB of memory, and this process may use (.*) GB: a "
        r"step with a batch of 96 images of 32x32 pixels takes (.*) GB, and all else .* GB\. Lower train\.batch_size "
        r"\(now 96\) to about (\d+) or train\.image_size_pixels to about (\d+), or train on a machine "
        r"with more memory\.",
        str(refused.value),
    )
    assert found
    needed, limit, step, batch, side = map(float, found.groups())
    assert needed > limit > step
    assert 0 < batch < 96
    assert 9 <= side < 32


def test_where_nothing_can_be_lowered_the_advice_is_another(tiny: Examples) -> None:
    training = training_of(quick_config(), tiny)
    with pytest.raises(ComponentError, match=r"Lower train\.max_cache_megabytes, or train on a machine with more"):
        refuse_too_large_step(training, left_bytes=0)


def test_what_fits_is_trained_and_the_step_is_not_traced_again(tiny: Examples) -> None:
    training = training_of(quick_config(), tiny)
    refuse_too_large_step(training, left_bytes=1_000_000_000)
    traced = training.step._compiled.experimental_get_tracing_count()
    (batch,) = training.batches.epoch(0, training.batch_size, 0).take(1)
    training.step(0, 0.0, 0.0, *batch)
    assert training.step._compiled.experimental_get_tracing_count() == traced == 1


def test_little_room_is_warned_of(tiny: Examples, caplog: pytest.LogCaptureFixture) -> None:
    refuse_too_large_step(training_of(quick_config(), tiny), left_bytes=160_000_000)
    assert "If it is killed, lower train.batch_size." in caplog.text


def test_images_are_largest_where_the_schedule_says_so(tiny: Examples) -> None:
    growing = quick_config(resolution_schedule=((0.0, 0.5), (0.5, 1.0)))
    sizes = {
        fraction: step_bytes(training_of(growing, tiny).step.trace(done, 32, 32))
        for done, fraction in ((0.0, 0.5), (0.5, 1.0))
    }
    assert sizes[1.0] > 2 * sizes[0.5]
