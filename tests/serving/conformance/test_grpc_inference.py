"""Predict, Classify, Regress and MultiInference over gRPC, asked with the official stubs.

From `apis/*.proto`, `model_servers/prediction_service_impl.cc` and `servables/tensorflow/`; the
requests of half_plus_two are those of `model_servers/tensorflow_model_server_test.py`.
"""

from __future__ import annotations

import re

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis import (
    classification_pb2,
    inference_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from tests.serving.conformance.grpc_requests import (
    TIMEOUT,
    add_example,
    examples_request,
    fill,
    predict_request,
    refused,
    values,
)

CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"


@pytest.fixture
def predictions(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


class TestPredict:
    def test_the_example(self, predictions):
        request = predict_request("half_plus_two", x=np.array([1, 2, 5], np.float32))
        response = predictions.Predict(request, TIMEOUT)
        assert values(response) == {"y": [2.5, 3.0, 4.5]}
        assert response.outputs["y"].dtype == tf.float32.as_datatype_enum
        assert response.model_spec.name == "half_plus_two"
        assert response.model_spec.version.value == 123
        assert response.model_spec.signature_name == "serving_default"

    def test_several_inputs_and_outputs(self, predictions):
        inputs = dict(
            a=np.array([1.5, 0], np.float32), b=np.array([[1, 2, 3], [4, 5, 6]], np.int32)
        )
        response = predictions.Predict(predict_request("tensors", "several", **inputs), TIMEOUT)
        assert values(response) == {"b": [[1, 2, 3], [4, 5, 6]], "total": [7.5, 15.0]}
        assert response.model_spec.signature_name == "several"

    def test_a_filter_for_outputs(self, predictions):
        inputs = dict(a=np.array([1], np.float32), b=np.array([[1, 2, 3]], np.int32))
        request = predict_request("tensors", "several", **inputs)
        request.output_filter.append("total")
        assert values(predictions.Predict(request, TIMEOUT)) == {"total": [7.0]}
        request.output_filter.append("b")
        response = predictions.Predict(request, TIMEOUT)
        assert values(response) == {"total": [7.0], "b": [[1, 2, 3]]}

    def test_filters_that_are_refused(self, predictions):
        inputs = dict(a=np.array([1], np.float32), b=np.array([[1, 2, 3]], np.int32))
        request = predict_request("tensors", "several", **inputs)
        request.output_filter.extend(["b", "z"])
        message = (
            "output tensor alias not found in signature: z Outputs expected to be in the set "
            "{b,total}."
        )
        with refused("INVALID_ARGUMENT", message):
            predictions.Predict(request, TIMEOUT)
        request.output_filter[1] = "b"
        with refused("INVALID_ARGUMENT", "duplicate output tensor alias: b"):
            predictions.Predict(request, TIMEOUT)

    def test_strings(self, predictions):
        texts = [b"a", b"\x00\xff", "ü".encode(), b""]
        response = predictions.Predict(predict_request("tensors", "strings", text=texts), TIMEOUT)
        assert values(response) == {"text": texts, "raw_bytes": texts}

    def test_every_type(self, predictions):
        arrays = {"boolean": np.array([True, False]), "double": np.array([0.1, -1e300])}
        for name in ("uint8", "int8", "int16", "int32", "uint32", "int64", "uint64"):
            bounds = np.iinfo(name)
            arrays[name] = np.array([bounds.min, bounds.max], name)
        response = predictions.Predict(predict_request("tensors", "types", **arrays), TIMEOUT)
        for name, array in arrays.items():
            found = tf.make_ndarray(response.outputs[f"{name}_out"])
            np.testing.assert_array_equal(found, array, strict=True)

    def test_types_that_rest_does_not_have(self, predictions):
        request = predict_request("tensors", "half", x=np.array([1.5], np.float16))
        (found,) = predictions.Predict(request, TIMEOUT).outputs.values()
        np.testing.assert_array_equal(
            tf.make_ndarray(found), np.array([1.5], np.float16), strict=True
        )

    def test_scalars_and_nothing(self, predictions):
        response = predictions.Predict(
            predict_request("tensors", "scalar", n=np.int64(12)), TIMEOUT
        )
        assert values(response) == {"square": 144}
        response = predictions.Predict(
            predict_request("tensors", x=np.zeros([2, 0], "f4")), TIMEOUT
        )
        assert values(response) == {"y": [[], []]}

    def test_values_in_fields_as_well_as_in_bytes(self, predictions):
        request = predict_request("half_plus_two")
        text = "dtype: DT_FLOAT tensor_shape { dim { size: 2 } } float_val: 1 float_val: 2"
        text_format.Parse(text, request.inputs["x"])
        assert values(predictions.Predict(request, TIMEOUT)) == {"y": [2.5, 3.0]}

    def test_more_than_4_megabytes(self, predictions):
        array = np.random.default_rng(0).normal(size=[2_000_000]).astype(np.float32)
        response = predictions.Predict(predict_request("tensors", x=array), TIMEOUT)
        np.testing.assert_array_equal(tf.make_ndarray(response.outputs["y"]), array)

    @pytest.mark.parametrize(
        ("name", "spec", "version"),
        [
            ("newest", {}, 3),
            ("two", {}, 3),
            ("two", {"version": 2}, 2),
            ("every", {"version": 1}, 1),
            ("labelled", {}, 2),
            ("labelled", {"label": "stable"}, 1),
            ("labelled", {"label": "canary"}, 2),
        ],
    )
    def test_versions_and_labels(self, predictions, name, spec, version):
        response = predictions.Predict(
            predict_request(name, x=np.array([10], np.float32), **spec), TIMEOUT
        )
        assert values(response) == {"y": [10.0 + version]}
        assert response.model_spec.version.value == version

    def test_models_that_are_not_there(self, predictions):
        x = np.array([1], np.float32)
        with refused("NOT_FOUND", "Servable not found for request: Latest(nope)"):
            predictions.Predict(predict_request("nope", x=x), TIMEOUT)
        with refused("NOT_FOUND", "Servable not found for request: Specific(half_plus_two, 5)"):
            predictions.Predict(predict_request("half_plus_two", x=x, version=5), TIMEOUT)
        with refused("INVALID_ARGUMENT", "Unrecognized servable version label: nope"):
            predictions.Predict(predict_request("labelled", x=x, label="nope"), TIMEOUT)
        with refused("INVALID_ARGUMENT", "ModelSpec has no name specified."):
            predictions.Predict(predict_request("", x=x), TIMEOUT)
        with refused("INVALID_ARGUMENT", "Missing ModelSpec"):
            predictions.Predict(predict_pb2.PredictRequest(), TIMEOUT)

    def test_an_unknown_signature(self, predictions):
        with refused("FAILED_PRECONDITION", 'Serving signature key "nope" not found.'):
            predictions.Predict(
                predict_request("half_plus_two", "nope", x=np.array([1], np.float32)), TIMEOUT
            )

    def test_inputs_that_do_not_fit(self, predictions):
        x = np.array([1], np.float32)
        too_many = (
            "input size does not match signature: 2!=1 len({x,z}) != len({x}). "
            "Sent extra: {z}. Missing but required: {}."
        )
        with refused("INVALID_ARGUMENT", too_many):
            predictions.Predict(predict_request("half_plus_two", x=x, z=x), TIMEOUT)
        too_few = (
            "input size does not match signature: 1!=2 len({a}) != len({a,b}). "
            "Sent extra: {}. Missing but required: {b}."
        )
        with refused("INVALID_ARGUMENT", too_few):
            predictions.Predict(predict_request("tensors", "several", a=x), TIMEOUT)
        with refused("INVALID_ARGUMENT", re.compile("")):
            predictions.Predict(predict_request("half_plus_two", z=x), TIMEOUT)
        with refused("INVALID_ARGUMENT", re.compile("float")):
            predictions.Predict(
                predict_request("half_plus_two", x=np.array([1], np.int64)), TIMEOUT
            )

    def test_a_tensor_that_is_none(self, predictions):
        request = predict_request("half_plus_two", x=np.array([1, 2], np.float32))
        request.inputs["x"].tensor_content = b"123"
        with refused("INVALID_ARGUMENT", re.compile("(?i)tensor")):
            predictions.Predict(request, TIMEOUT)

    def test_what_the_graph_refuses(self, predictions):
        request = predict_request("tensors", "positive", x=np.array([1, -2], np.float32))
        with refused("INVALID_ARGUMENT", re.compile(r"\[x must be positive:\] \[1 -2\]")):
            predictions.Predict(request, TIMEOUT)


class TestExamples:
    def test_regress(self, predictions):
        kind = regression_pb2.RegressionRequest
        request = examples_request(kind, "half_plus_two", "regress_x_to_y", [2.0, 80.0])
        response = predictions.Regress(request, TIMEOUT)
        assert [r.value for r in response.result.regressions] == [3.0, 42.0]
        assert response.model_spec.version.value == 123
        assert response.model_spec.signature_name == "regress_x_to_y"

    def test_classify(self, predictions):
        kind = classification_pb2.ClassificationRequest
        request = examples_request(kind, "half_plus_two", "classify_both", [20.0, 10.0])
        response = predictions.Classify(request, TIMEOUT)
        rows = [[(c.label, c.score) for c in r.classes] for r in response.result.classifications]
        assert rows == [[("large", 12.0), ("small", -12.0)], [("small", 7.0), ("large", -7.0)]]
        assert response.model_spec.signature_name == "classify_both"

    def test_an_empty_signature_name_is_answered_with_the_default(self, predictions):
        kind = classification_pb2.ClassificationRequest
        response = predictions.Classify(examples_request(kind, "examples", "", [0.5]), TIMEOUT)
        assert response.model_spec.signature_name == "serving_default"
        (row,) = response.result.classifications
        assert [(c.label, c.score) for c in row.classes] == [("", 0.5), ("0", 0.0)]

    def test_a_context(self, predictions):
        request = regression_pb2.RegressionRequest()
        fill(request.model_spec, "half_plus_two", "regress_x2_to_y3")
        target = request.input.example_list_with_context
        add_example(target.context, x2=2.0)
        add_example(target.examples, x=1.0)
        add_example(target.examples, x=2.0)
        response = predictions.Regress(request, TIMEOUT)
        assert [r.value for r in response.result.regressions] == [4.0, 4.0]

    def test_what_is_refused(self, predictions):
        regress, classify = (
            regression_pb2.RegressionRequest,
            classification_pb2.ClassificationRequest,
        )
        with refused("INVALID_ARGUMENT", "Missing ModelSpec"):
            predictions.Regress(regress(), TIMEOUT)
        with refused("INVALID_ARGUMENT", "ModelSpec has no name specified."):
            predictions.Classify(examples_request(classify, "", "", [1.0]), TIMEOUT)
        with refused("NOT_FOUND", "Servable not found for request: Latest(nope)"):
            predictions.Classify(examples_request(classify, "nope", "", [1.0]), TIMEOUT)
        with refused("INVALID_ARGUMENT", "No signature was found with the name: nope"):
            predictions.Regress(examples_request(regress, "half_plus_two", "nope", [1.0]), TIMEOUT)
        with refused("INVALID_ARGUMENT", re.compile("^No classification inputs found in Sig")):
            predictions.Classify(examples_request(classify, "half_plus_two", "", [1.0]), TIMEOUT)
        with refused("INVALID_ARGUMENT", "Input is empty."):
            request = examples_request(regress, "half_plus_two", "regress_x_to_y")
            predictions.Regress(request, TIMEOUT)
        with refused("INVALID_ARGUMENT", "Input is empty."):
            request.input.example_list_with_context.SetInParent()
            predictions.Regress(request, TIMEOUT)


class TestMultiInference:
    def ask(self, predictions, *tasks, x: float = 2.0):
        request = inference_pb2.MultiInferenceRequest()
        for name, signature, method in tasks:
            task = request.tasks.add(method_name=method)
            fill(task.model_spec, name, signature)
        add_example(request.input.example_list.examples, x=x)
        return predictions.MultiInference(request, TIMEOUT)

    def test_the_example(self, predictions):
        response = self.ask(
            predictions,
            ("half_plus_two", "regress_x_to_y", REGRESS),
            ("half_plus_two", "classify_x_to_y", CLASSIFY),
        )
        regressed, classified = response.results
        assert [r.value for r in regressed.regression_result.regressions] == [3.0]
        (row,) = classified.classification_result.classifications
        assert [(c.label, c.score) for c in row.classes] == [("", 3.0)]
        for result, signature in zip(
            response.results, ("regress_x_to_y", "classify_x_to_y"), strict=True
        ):
            assert result.model_spec.name == "half_plus_two"
            assert result.model_spec.signature_name == signature
            assert result.model_spec.version.value == 123

    def test_what_is_refused(self, predictions):
        regress = ("half_plus_two", "regress_x_to_y", REGRESS)
        with refused("INVALID_ARGUMENT", "ModelSpec has no name specified."):
            self.ask(predictions)
        with refused("INVALID_ARGUMENT", "Found ModelSpec with an empty model name."):
            self.ask(predictions, regress, ("", "classify_x_to_y", CLASSIFY))
        message = "All ModelSpecs in a MultiInferenceRequest must access the same model name."
        with refused("INVALID_ARGUMENT", message):
            self.ask(predictions, regress, ("examples", "value", REGRESS))
        with refused("INVALID_ARGUMENT", "Duplicate evaluation of signature: regress_x_to_y"):
            self.ask(predictions, regress, regress)
        with refused("INVALID_ARGUMENT", "Duplicate evaluation of signature: serving_default"):
            default = ("examples", "", CLASSIFY)
            self.ask(predictions, default, ("examples", "serving_default", CLASSIFY))
        with refused("INVALID_ARGUMENT", "Requested signature not found in model graph: nope"):
            self.ask(predictions, regress, ("half_plus_two", "nope", REGRESS))
        method = "tensorflow/serving/predict"
        with refused("UNIMPLEMENTED", f"Unsupported signature method_name: {method}"):
            self.ask(predictions, regress, ("half_plus_two", "serving_default", method))
        with refused(
            "INVALID_ARGUMENT", re.compile("^No regression outputs found in SignatureDef")
        ):
            self.ask(predictions, ("half_plus_two", "classify_x_to_y", REGRESS))
        with refused("NOT_FOUND", "Servable not found for request: Latest(nope)"):
            self.ask(predictions, ("nope", "a", REGRESS))
