"""Defines the optimizers: each updates a network's variables by group (see `Network.groups`)."""

from __future__ import annotations

import tensorflow as tf

from components.train.network import Network
from components.train.recipe import Recipe

NEWTON_SCHULZ_STEPS = 3
NEWTON_SCHULZ_COEFFICIENTS = (3.4445, -4.7750, 2.0315)


class Optimizer(tf.Module):
    """An optimizer with a rule of its own for each group of variables. The state of the rules is in `variables`."""

    def __init__(self, recipe: Recipe, network: Network, batch_size: int) -> None:
        super().__init__()
        self.batch_size = batch_size
        self.rules = {
            group: RULES[recipe.optimizer](group, recipe, variables, batch_size)
            for group, variables in network.groups.items()
        }

    def apply(self, gradients: dict[str, list[tf.Tensor]], rate_fractions: dict[str, tf.Tensor]) -> None:
        """Updates the groups that have gradients in one step, each at a fraction of its full learning rate.

        Args:
            gradients: of the loss summed over the batch, by group.
            rate_fractions: float32 (), by group.
        """
        for group, group_gradients in gradients.items():
            self.rules[group].apply(group_gradients, rate_fractions[group])


class Rule(tf.Module):
    """A rule by which the variables of one group follow their gradients."""

    def __init__(self, group: str, recipe: Recipe, variables: list[tf.Variable], batch_size: int) -> None:
        super().__init__()
        self.updated = variables
        self.batch_size = batch_size
        self.learning_rate = _learning_rate(group, recipe)

    def apply(self, gradients: list[tf.Tensor], rate_fraction: tf.Tensor) -> None:
        """Updates the variables in one step, from gradients of the loss summed over the batch."""
        raise NotImplementedError


class Nesterov(Rule):
    """Stochastic gradient descent with Nesterov momentum, and a decay that does not depend on the learning rate."""

    def __init__(self, group: str, recipe: Recipe, variables: list[tf.Variable], batch_size: int) -> None:
        super().__init__(group, recipe, variables, batch_size)
        self.momentum = recipe.momentum
        decays = group in ("filters", "head") or recipe.decay_biases
        self.weight_decay = recipe.weight_decay_per_example * batch_size / self.learning_rate if decays else 0.0
        self.velocities = _slots(variables, "velocity")

    def apply(self, gradients: list[tf.Tensor], rate_fraction: tf.Tensor) -> None:
        """Updates the variables. See `Rule`."""
        for variable, velocity, gradient in zip(self.updated, self.velocities, gradients, strict=True):
            gradient += self.weight_decay * variable
            velocity.assign(self.momentum * velocity + gradient)
            variable.assign_sub(self.learning_rate * rate_fraction * (gradient + self.momentum * velocity))


class Muon(Rule):
    """Momentum with orthogonalized updates (Jordan et al. 2024, "Muon: an optimizer for hidden layers").

    As in airbench94_muon, the filters keep a Frobenius norm of sqrt(filters), so the rate is a relative change.
    """

    def __init__(self, group: str, recipe: Recipe, variables: list[tf.Variable], batch_size: int) -> None:
        super().__init__(group, recipe, variables, batch_size)
        self.momentum = recipe.muon_momentum
        self.velocities = _slots(variables, "velocity")

    def apply(self, gradients: list[tf.Tensor], rate_fraction: tf.Tensor) -> None:
        """Updates the variables. See `Rule`.

        Filters (..., inputs, outputs) are taken as matrices with `outputs` columns.
        """
        for variable, velocity, gradient in zip(self.updated, self.velocities, gradients, strict=True):
            velocity.assign(self.momentum * velocity + gradient)
            width = variable.shape[-1]
            direction = orthogonalized(tf.reshape(gradient + self.momentum * velocity, (-1, width)))
            weights = variable * (width**0.5 / tf.norm(variable))
            variable.assign(weights - self.learning_rate * rate_fraction * tf.reshape(direction, variable.shape))


class Adam(Rule):
    """Adam (Kingma and Ba 2015) with Keras's defaults, on the mean loss."""

    BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7

    def __init__(self, group: str, recipe: Recipe, variables: list[tf.Variable], batch_size: int) -> None:
        super().__init__(group, recipe, variables, batch_size)
        self.means = _slots(variables, "mean")
        self.squares = _slots(variables, "square")
        self.powers = [tf.Variable(beta, trainable=False, name="power") for beta in (self.BETA_1, self.BETA_2)]

    def apply(self, gradients: list[tf.Tensor], rate_fraction: tf.Tensor) -> None:
        """Updates the variables. See `Rule`."""
        for variable, mean, square, gradient in zip(self.updated, self.means, self.squares, gradients, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=mean.handle,
                v=square.handle,
                beta1_power=self.powers[0],
                beta2_power=self.powers[1],
                lr=self.learning_rate * rate_fraction,
                beta1=self.BETA_1,
                beta2=self.BETA_2,
                epsilon=self.EPSILON,
                grad=gradient / self.batch_size,
            )
        for power, beta in zip(self.powers, (self.BETA_1, self.BETA_2), strict=True):
            power.assign(power * beta)


def orthogonalized(matrix: tf.Tensor) -> tf.Tensor:
    """Returns the nearest matrix with singular values of about 1, float32 (rows, columns), by 3 Newton-Schulz steps."""
    a, b, c = NEWTON_SCHULZ_COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x = tf.transpose(matrix) if tall else matrix
    x = x / (tf.norm(x) + 1e-7)
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = tf.matmul(x, x, transpose_b=True)
        x = a * x + tf.matmul(b * gram + c * tf.matmul(gram, gram), x)
    return tf.transpose(x) if tall else x


def _learning_rate(group: str, recipe: Recipe) -> float:
    if group == "filters":
        return recipe.learning_rate
    return recipe.head_learning_rate if group == "head" else recipe.bias_learning_rate


def _slots(variables: list[tf.Variable], name: str) -> list[tf.Variable]:
    return [tf.Variable(tf.zeros_like(variable), trainable=False, name=name) for variable in variables]


def _muon(group: str, recipe: Recipe, variables: list[tf.Variable], batch_size: int) -> Rule:
    return (Muon if group == "filters" else Nesterov)(group, recipe, variables, batch_size)


RULES = {"nesterov": Nesterov, "muon": _muon, "adam": Adam}
