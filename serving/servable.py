"""One loaded SavedModel: its signatures, and running them.

Not for finding or replacing versions (`versions.py`). TensorFlow is imported when the first model
is loaded, not with this module.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from serving import signatures, tf_errors
from serving.errors import Code, ServingError, invalid_argument
from serving.signatures import Signature

_LOG = logging.getLogger(__name__)

SAVED_MODEL_FILE = "saved_model.pb"
_INIT_OPS = ("__saved_model_init_op", "__saved_model_train_op")


class Servable:
    """A version of a model, ready to run; safe to use from several threads.

    Args:
        name: The model's name.
        version: The version's number.
        signature_defs: Every `tensorflow.SignatureDef` of the SavedModel by name, as saved.
        functions: What runs a signature, by name: takes its inputs as keyword arguments (tensors)
            and returns its outputs by name (tensors).
        model: Whatever the functions need to stay alive.
        check_shapes: Whether inputs of other shapes than the signature's are refused.
    """

    def __init__(
        self,
        name: str,
        version: int,
        *,
        signature_defs: Mapping[str, Any],
        functions: Mapping[str, Callable[..., Mapping[str, Any]]],
        model: Any,
        check_shapes: bool = True,
    ) -> None:
        self.name = name
        self.version = version
        self.signature_defs = dict(signature_defs)
        self._signatures = {
            key: signatures.from_signature_def(value) for key, value in signature_defs.items()
        }
        self._functions = dict(functions)
        self._model = model
        self._check_shapes = check_shapes

    def signature(self, name: str) -> Signature:
        """Looks a signature up.

        Raises:
            ServingError: INVALID_ARGUMENT, if the model has none of this name.
        """
        if name not in self._signatures:
            raise invalid_argument(f'Serving signature name: "{name}" not found in signature def')
        return self._signatures[name]

    def check(
        self, signature_name: str, inputs: Mapping[str, np.ndarray]
    ) -> Callable[..., Mapping[str, Any]]:
        """What runs a signature, if it can be run with these inputs.

        Raises:
            ServingError: INVALID_ARGUMENT for unknown signatures and inputs that do not fit;
                FAILED_PRECONDITION for a signature that is none to be run.
        """
        self.signature(signature_name).check(inputs, shapes=self._check_shapes)
        function = self._functions.get(signature_name)
        if function is None:
            raise ServingError(
                Code.FAILED_PRECONDITION, f'Signature "{signature_name}" cannot be run'
            )
        return function

    def run(self, signature_name: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Runs a signature.

        Args:
            signature_name: Which.
            inputs: One array for each of its inputs, of the right dtype (strings: object arrays of
                bytes).

        Returns:
            Its outputs by name; strings as object arrays of bytes.

        Raises:
            ServingError: INVALID_ARGUMENT for unknown signatures and inputs that do not fit; with
                TensorFlow's code and the operation's own words, if the graph raises; INTERNAL for
                anything else, the details of which are logged.
        """
        import tensorflow as tf

        function = self.check(signature_name, inputs)
        signature = self.signature(signature_name)
        try:
            tensors = {
                name: tf.convert_to_tensor(inputs[name], tf.as_dtype(spec.dtype))
                for name, spec in signature.inputs.items()
            }
            outputs = function(**tensors)
            return {name: _to_numpy(outputs[name]) for name in signature.outputs}
        except tf.errors.OpError as error:
            _LOG.info("%s:%d %s failed: %s", self.name, self.version, signature_name, error.message)
            raise tf_errors.from_op_error(error.error_code, error.message) from error
        except Exception as error:
            _LOG.exception("%s:%d %s failed", self.name, self.version, signature_name)
            raise ServingError(Code.INTERNAL, "Internal error: the server's log has it") from error


def load(name: str, version: int, folder: str) -> Servable:
    """Loads a SavedModel, of TensorFlow 2 or 1.

    The signatures of TensorFlow 1 are nodes of a graph, and their shapes were never binding:
    TensorFlow Serving's own half_plus_two declares [?, 1] and is queried with [3]. Those of
    TensorFlow 2 are functions, traced for their shapes.

    Args:
        name: The model's name.
        version: The version's number.
        folder: The folder that holds `saved_model.pb`.

    Raises:
        ServingError: With a message for the operator, if it cannot be loaded.
    """
    import tensorflow as tf

    try:
        # Read apart: TensorFlow's own loader keeps the definitions of the signatures to itself.
        signature_defs, tags, is_tensorflow_2 = _definitions(folder)
        model = tf.saved_model.load(folder, tags=tags)
        functions = {key: model.signatures[key] for key in signature_defs if key not in _INIT_OPS}
    except ServingError:
        raise
    except tf.errors.OpError as error:
        raise tf_errors.from_op_error(error.error_code, error.message) from error
    except Exception as error:
        # Parsing, missing files, objects of unknown types: each raises something else.
        summary = f"{type(error).__name__}: {str(error).strip()}"
        raise ServingError(Code.UNKNOWN, f"cannot load {folder}: {summary[:500]}") from error
    return Servable(
        name,
        version,
        signature_defs=signature_defs,
        functions=functions,
        model=model,
        check_shapes=is_tensorflow_2,
    )


def _definitions(folder: str) -> tuple[dict[str, Any], list[str], bool]:
    """The signatures, the tags of their graph, and whether TensorFlow 2 saved it."""
    import tensorflow as tf
    from tensorflow.core.protobuf import saved_model_pb2

    with tf.io.gfile.GFile(f"{folder}/{SAVED_MODEL_FILE}", "rb") as file:
        saved = saved_model_pb2.SavedModel.FromString(file.read())
    tag = tf.saved_model.SERVING
    for graph in saved.meta_graphs:
        if tag in graph.meta_info_def.tags:
            # Copies: a part of a message keeps the whole of it in memory, here the graph.
            signature_defs = {key: copy.deepcopy(d) for key, d in graph.signature_def.items()}
            tags = list(graph.meta_info_def.tags)
            return signature_defs, tags, graph.HasField("object_graph_def")
    raise ServingError(Code.NOT_FOUND, f'{folder} has no graph with the tag "{tag}"')


def _to_numpy(tensor: Any) -> np.ndarray:
    array = tensor.numpy()
    # A scalar string comes as plain bytes.
    return np.asarray(array, np.object_) if isinstance(array, bytes) else np.asarray(array)
