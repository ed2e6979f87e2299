"""Signatures as TensorFlow saves them, and the checks made before a graph runs."""

import numpy as np
import pytest

from serving.errors import ServingError
from serving.signatures import Signature, TensorSpec, from_signature_def


def test_reads_what_tensorflow_saved():
    from google.protobuf import text_format
    from tensorflow.core.protobuf import meta_graph_pb2

    definition = text_format.Parse(
        """
        inputs { key: "b" value { dtype: DT_STRING tensor_shape { } } }
        inputs { key: "a" value { dtype: DT_HALF tensor_shape { unknown_rank: true } } }
        outputs { key: "c" value { dtype: DT_INT64
                                   tensor_shape { dim { size: -1 } dim { size: 3 } } } }
        """,
        meta_graph_pb2.SignatureDef(),
    )
    signature = from_signature_def(definition)
    assert list(signature.inputs.items()) == [
        ("a", TensorSpec("half", None)),
        ("b", TensorSpec("string", ())),
    ]
    assert signature.outputs == {"c": TensorSpec("int64", (None, 3))}


@pytest.mark.parametrize(
    ("spec", "shape", "fits"),
    [
        (None, (), True),
        (None, (2, 3), True),
        ((), (), True),
        ((), (1,), False),
        ((None, 3), (0, 3), True),
        ((None, 3), (2, 4), False),
        ((None, 3), (2, 3, 1), False),
    ],
)
def test_shapes(spec, shape, fits):
    signature = Signature({"x": TensorSpec("float", spec)}, {})
    inputs = {"x": np.zeros(shape, np.float32)}
    if fits:
        signature.check(inputs)
    else:
        with pytest.raises(ServingError, match="input x has shape"):
            signature.check(inputs)


def test_names():
    signature = Signature({"x": TensorSpec("float", None), "y": TensorSpec("float", None)}, {})
    with pytest.raises(ServingError) as caught:
        signature.check({"x": np.zeros(1), "z": np.zeros(1)})
    assert "Sent extra: {z}. Missing but required: {y}." in caught.value.message
