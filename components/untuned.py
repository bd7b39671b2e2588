"""Reads datasets without tf.data's autotuning, whose thread makes the end of a dataset wait for up to a minute.

That thread looks at the dataset after 10 ms, after 20 ms more, and so on up to every minute. TensorFlow (2.21) does not
wake it when the iterator is destroyed, so that a dataset that was read for 20 seconds can take 20 more to end, in which
the processor does nothing: after each epoch of a training, and after each shard of a scan.
"""

from __future__ import annotations

import tensorflow as tf


def untuned(source: tf.data.Dataset) -> tf.data.Dataset:
    """Returns the dataset, such that it and all that is made of it end at once.

    What follows with `num_parallel_calls=tf.data.AUTOTUNE` makes as many calls at once as there are cores, at most 16.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return source.with_options(options)
