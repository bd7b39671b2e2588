from __future__ import annotations

import numpy as np
import tensorflow as tf

from components.train.lookahead import Lookahead


class Weights(tf.Module):
    """Stands for a network."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = tf.Variable([1.0, 2.0])


def test_fast_and_slow_weights_become_their_average() -> None:
    network = Weights()
    lookahead = Lookahead(network)
    network.weights.assign([3.0, 6.0])

    lookahead.update(tf.constant(0.75))

    np.testing.assert_allclose(network.weights, [1.5, 3.0])
    np.testing.assert_allclose(lookahead.slow[0], [1.5, 3.0])


def test_at_the_end_the_slow_weights_stay_and_replace_the_fast_ones() -> None:
    network = Weights()
    lookahead = Lookahead(network)
    network.weights.assign([3.0, 6.0])

    lookahead.update(tf.constant(1.0))

    np.testing.assert_array_equal(network.weights, [1.0, 2.0])


def test_reset_begins_at_the_fast_weights() -> None:
    network = Weights()
    lookahead = Lookahead(network)
    network.weights.assign([3.0, 6.0])

    lookahead.reset()

    np.testing.assert_array_equal(lookahead.slow[0], [3.0, 6.0])
