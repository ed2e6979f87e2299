"""AdamW for fine-tuning: rates of their own for layers, and a start with the new layers alone.

The schedule and which layers are slower are settings; which layers are frozen for good is said in
`backbones.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
from keras import ops


class FineTuningAdamW(keras.optimizers.Adam):
    """Adam with decoupled weight decay, in which each variable has a factor on its learning rate.

    A step is θ ← θ − η_t φ_t(θ) (m̂ / √v̂ + wd · θ), with the schedule's rate η_t (Loshchilov and
    Hutter, "Decoupled Weight Decay Regularization", ICLR 2019, algorithm 2; against division by
    zero Keras adds its ε to √v before the bias correction). The factor φ_t is
    1 for new variables; for pretrained ones it is 0 for the first `frozen_steps` steps, in which
    the new layers find their place, then `pretrained_factor`. Vectors (biases, scales and offsets
    of normalisation) do not decay.

    The moments of pretrained variables are kept up while they stand still.
    """

    def __init__(
        self,
        learning_rate: Any,
        *,
        weight_decay: float = 0.0,
        pretrained: Iterable[str] = (),
        pretrained_factor: float = 1.0,
        frozen_steps: int = 0,
        **kwargs: Any,
    ) -> None:
        """Makes the optimizer.

        Args:
            learning_rate: η, a number or a schedule.
            weight_decay: wd ≥ 0, as a share of the rate.
            pretrained: Paths of the variables that are pretrained.
            pretrained_factor: Factor on their rate, ≥ 0.
            frozen_steps: Steps for which they stand still.
            **kwargs: Passed to `keras.optimizers.Adam`.
        """
        super().__init__(learning_rate, **kwargs)
        self.decay = weight_decay
        self.pretrained = frozenset(pretrained)
        self.pretrained_factor = pretrained_factor
        self.frozen_steps = frozen_steps

    def build(self, variables: list[Any]) -> None:
        """Makes the moments, and notes which variables are pretrained and which decay.

        Raises:
            ValueError: A pretrained variable is not among them.
        """
        super().build(variables)
        self._is_pretrained = [variable.path in self.pretrained for variable in variables]
        self._decays = [len(variable.shape) > 1 for variable in variables]
        unknown = self.pretrained - {variable.path for variable in variables}
        if unknown:
            raise ValueError(f"no trainable variable is called {min(unknown)}")

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Takes one step of one variable."""
        index = self._get_variable_index(variable)
        rate = ops.cast(learning_rate, variable.dtype)
        if self._is_pretrained[index]:
            moves = ops.cast(self.iterations >= self.frozen_steps, rate.dtype)
            rate = rate * moves * self.pretrained_factor
        if self.decay and self._decays[index]:
            self.assign_sub(variable, variable * (rate * self.decay))
        super().update_step(gradient, variable, rate)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "weight_decay": self.decay,
            "pretrained": sorted(self.pretrained),
            "pretrained_factor": self.pretrained_factor,
            "frozen_steps": self.frozen_steps,
        }
