"""The SavedModel called in this process: what the server's answers are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from components.serving_check.config import CheckFailedError

# Where the server runs too: a GPU would round differently.
_DEVICE = "/CPU:0"


class DirectModel:
    """A loaded SavedModel.

    Args:
        folder: The folder that holds `saved_model.pb`.

    Raises:
        CheckFailedError: It cannot be loaded.
    """

    def __init__(self, folder: str) -> None:
        try:
            with tf.device(_DEVICE):
                # Kept, since the signatures alone do not keep the variables alive.
                self._model = tf.saved_model.load(folder)
            self._signatures: Mapping[str, tf.types.experimental.ConcreteFunction] = (
                self._model.signatures
            )
        except Exception as error:  # parsing, missing files, unknown objects: each raises another
            words = " ".join(str(error).split())[:300]
            raise CheckFailedError(
                f"TensorFlow cannot load the model: {type(error).__name__}: {words}"
            ) from error

    def signatures(self) -> dict[str, tuple[set[str], set[str]]]:
        """Names of inputs and outputs by signature."""
        return {
            name: (set(function.structured_input_signature[1]), set(function.structured_outputs))
            for name, function in self._signatures.items()
        }

    def knows(self, identity: bytes) -> bool:
        """Whether the gallery has an image of this id, which it then has a thumbnail of."""
        try:
            with tf.device(_DEVICE):
                self._signatures["thumbnail"](ids=tf.constant([identity], tf.string))
        except tf.errors.InvalidArgumentError:
            return False
        return True

    def predict(
        self, signature: str, input_name: str, values: Sequence[bytes]
    ) -> dict[str, np.ndarray]:
        """Runs a signature that takes one list of byte strings.

        Args:
            signature: Its name.
            input_name: The name of its input.
            values: The input, [B].

        Returns:
            Outputs by name, each with B rows; strings as object arrays of bytes.

        Raises:
            CheckFailedError: The model refuses it.
        """
        try:
            with tf.device(_DEVICE):
                outputs = self._signatures[signature](
                    **{input_name: tf.constant(list(values), tf.string)}
                )
        except tf.errors.OpError as error:
            raise CheckFailedError(
                f"{signature} fails on real data: {' '.join(str(error.message).split())[:300]}"
            ) from error
        return {name: tensor.numpy() for name, tensor in outputs.items()}
