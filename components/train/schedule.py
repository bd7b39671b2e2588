"""What changes in the course of a training, as plain functions of how much of it is done: `done`, from 0 to 1."""

from __future__ import annotations

from components.train.recipes import Recipe


def rate_fraction(recipe: Recipe, step: int, done: float) -> float:
    """Of the full learning rates. A triangle (arXiv 2404.00498, section 2), or Keras's `decay`, or both."""
    return _triangle(recipe, done) / (1 + recipe.learning_rate_decay_per_step * step)


def _triangle(recipe: Recipe, done: float) -> float:
    if done < recipe.warmup_fraction:
        risen = done / recipe.warmup_fraction
        return recipe.initial_rate_fraction + (1 - recipe.initial_rate_fraction) * risen
    fallen = (done - recipe.warmup_fraction) / max(1 - recipe.warmup_fraction, 1e-9)
    return 1 - (1 - recipe.final_rate_fraction) * fallen


def whitening_rate_fraction(recipe: Recipe, epoch: float) -> float:
    """Of the biases' learning rate: falls to 0 over the first epochs; the bias is frozen from then on."""
    return max(0.0, 1 - epoch / recipe.whitening_bias_epochs) if recipe.whitening_bias_epochs else 0.0


def size_fraction(recipe: Recipe, done: float) -> float:
    """Of the input's height and width at which the next step trains."""
    return [fraction for start, fraction in recipe.resolution_schedule if start <= done][-1]


def lookahead_decay(done: float, every_steps: int) -> float:
    """Share of the slow weights when fast and slow are averaged; 1 at the very end."""
    return 1.0 if done == 1 else 0.95**every_steps * done**3
