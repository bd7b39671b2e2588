"""Computes what changes during a training, as plain functions of the fraction that is done: `done`, from 0 to 1."""

from __future__ import annotations

from components.train.recipe import Recipe


def rate_fraction(recipe: Recipe, step: int, done: float) -> float:
    """Returns the fraction of the full learning rates.

    It is a triangle (arXiv 2404.00498, section 2), Keras's `decay`, or both.
    """
    return _triangle(recipe, done) / (1 + recipe.learning_rate_decay_per_step * step)


def _triangle(recipe: Recipe, done: float) -> float:
    if done < recipe.warmup_fraction:
        risen = done / recipe.warmup_fraction
        return recipe.initial_rate_fraction + (1 - recipe.initial_rate_fraction) * risen
    fallen = (done - recipe.warmup_fraction) / max(1 - recipe.warmup_fraction, 1e-9)
    return 1 - (1 - recipe.final_rate_fraction) * fallen


def whitening_rate_fraction(recipe: Recipe, epoch: float) -> float:
    """Returns the fraction of the biases' learning rate.

    It falls to 0 over the first epochs; then the bias is frozen.
    """
    return max(0.0, 1 - epoch / recipe.whitening_bias_epochs) if recipe.whitening_bias_epochs else 0.0


def size_fraction(recipe: Recipe, done: float) -> float:
    """Returns the fraction of the input's height and width at which the next step trains."""
    return [fraction for start, fraction in recipe.resolution_schedule if start <= done][-1]


def lookahead_decay(done: float, every_steps: int) -> float:
    """Returns the share of the slow weights when fast and slow weights are averaged; 1 at the very end."""
    return 1.0 if done == 1 else 0.95**every_steps * done**3
