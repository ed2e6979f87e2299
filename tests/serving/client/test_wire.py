"""Our own gRPC messages against the official ones: what one writes the other reads."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_shape_pb2, types_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    predict_pb2,
)

from serving.client import wire
from serving.client.grpc_transport import _column

OFFICIAL = {
    "PredictRequest": predict_pb2.PredictRequest,
    "PredictResponse": predict_pb2.PredictResponse,
    "StatusRequest": get_model_status_pb2.GetModelStatusRequest,
    "StatusResponse": get_model_status_pb2.GetModelStatusResponse,
    "MetadataRequest": get_model_metadata_pb2.GetModelMetadataRequest,
    "MetadataResponse": get_model_metadata_pb2.GetModelMetadataResponse,
    "SignatureDefMap": get_model_metadata_pb2.SignatureDefMap,
    "Shape": tensor_shape_pb2.TensorShapeProto,
    "SignatureDef": meta_graph_pb2.SignatureDef,
}


def same(ours, official):
    """Every field of ours is one of the official message: number, name, type, and so within."""
    for field in ours.fields:
        other = official.fields_by_number[field.number]
        assert field.name == other.name
        assert field.label == other.label
        kinds = {field.type, other.type}
        # On the wire an enumeration is an integer.
        assert len(kinds) == 1 or kinds == {field.TYPE_INT32, field.TYPE_ENUM}, field.full_name
        if field.message_type is not None:
            same(field.message_type, other.message_type)


@pytest.mark.parametrize("name", OFFICIAL)
def test_fields(name):
    same(getattr(wire.messages(), name).DESCRIPTOR, OFFICIAL[name].DESCRIPTOR)


def test_types():
    official = {
        number: name.removeprefix("DT_").lower() for name, number in types_pb2.DataType.items()
    }
    assert wire.DTYPES.items() <= official.items()


@pytest.mark.parametrize("compact", [True, False])
@pytest.mark.parametrize(
    "array",
    [
        np.array([[0.1, -2.5], [1 / 3, 1e-20]], np.float32),
        np.array([1 / 3, np.pi], np.float64),
        np.array([[1], [-2]], np.int32),
        np.array([2**40, -1, -1], np.int64),
        np.array([True, False]),
        np.array([], np.float32).reshape(0, 4),
        np.full((3, 2), 7, np.int64),
    ],
    ids=lambda array: f"{array.dtype} {array.shape}",
)
def test_tensors(array, compact):
    if compact:
        proto = tf.make_tensor_proto(array)
    else:
        # As bytes, the way that TensorFlow sends what it has computed.
        proto = tf.make_tensor_proto(array)
        if array.size:
            fields = ("float_val", "double_val", "int_val", "int64_val", "bool_val")
            for field in fields:
                proto.ClearField(field)
            proto.tensor_content = array.tobytes()
    read = _column(wire.messages().Tensor.FromString(proto.SerializeToString()), text=True)
    assert np.array(read, array.dtype).reshape(array.shape).tolist() == array.tolist()
    assert np.array(read).shape[:1] == array.shape[:1]


def test_texts():
    texts = np.array([["ä", "b"], ["", "d\x00"]], object)
    proto = tf.make_tensor_proto([[text.encode() for text in row] for row in texts])
    tensor = wire.messages().Tensor.FromString(proto.SerializeToString())
    assert _column(tensor, text=True) == texts.tolist()
    assert _column(tensor, text=False) == [["ä".encode(), b"b"], [b"", b"d\x00"]]
