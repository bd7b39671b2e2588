"""Implements Lookahead: slow weights that follow the fast ones, and at intervals replace them.

From arXiv 2404.00498, section 3.4.
"""

from __future__ import annotations

import tensorflow as tf

from components.train.network import Network


class Lookahead(tf.Module):
    """Slow copies of all of a network's variables, moving averages included."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.fast = network.variables
        self.slow = [tf.Variable(variable, trainable=False, name="slow") for variable in self.fast]
        self.strategy = tf.distribute.get_strategy()

    def reset(self) -> None:
        """Sets the slow weights to the fast ones."""
        for slow, fast in zip(self.slow, self.fast, strict=True):
            slow.assign(fast)

    @tf.function(autograph=False)
    def update(self, decay: tf.Tensor) -> None:
        """Sets both to `decay` times the slow plus `1 - decay` times the fast weights."""
        self.strategy.run(self._update, (decay,))

    def _update(self, decay: tf.Tensor) -> None:
        for slow, fast in zip(self.slow, self.fast, strict=True):
            fast.assign(slow.assign_add((1 - decay) * (fast - slow)))  # this form leaves constant variables exact
