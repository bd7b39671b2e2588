"""What changes in the course of a training, as plain functions of the step."""

from __future__ import annotations

from components.train.recipes import Recipe


def rate_fraction(recipe: Recipe, step: int, total_steps: int) -> float:
    """Of the full learning rates. A triangle (arXiv 2404.00498, section 2), or Keras's `decay`, or both."""
    done = step / total_steps
    return _triangle(recipe, done) / (1 + recipe.rate_decay_per_step * step)


def _triangle(recipe: Recipe, done: float) -> float:
    if done < recipe.warmup_fraction:
        risen = done / recipe.warmup_fraction
        return recipe.first_rate_fraction + (1 - recipe.first_rate_fraction) * risen
    fallen = (done - recipe.warmup_fraction) / max(1 - recipe.warmup_fraction, 1e-9)
    return 1 - (1 - recipe.last_rate_fraction) * fallen


def whitening_rate_fraction(recipe: Recipe, epoch: float) -> float:
    """Of the biases' learning rate: falls to 0 over the first epochs; the bias is frozen from then on."""
    return max(0.0, 1 - epoch / recipe.whitening_bias_epochs) if recipe.whitening_bias_epochs else 0.0


def size_fraction(recipe: Recipe, step: int, total_steps: int) -> float:
    """Of the input's height and width at which this step trains."""
    return [fraction for start, fraction in recipe.size_schedule if start <= step / total_steps][-1]


def lookahead_decay(step: int, total_steps: int, every_steps: int) -> float:
    """Share of the slow weights when fast and slow are averaged after `step` steps; 1 at the very end."""
    return 1.0 if step == total_steps else 0.95**every_steps * (step / total_steps) ** 3
