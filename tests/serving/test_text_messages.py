"""Configuration files whose messages no package has: the reader, batching, monitoring."""

from __future__ import annotations

import os

import pytest

from serving import batching_parameters, monitoring_config, text_messages
from serving.batching_parameters import BatchingParameters
from serving.errors import Code, ServingError

MESSAGES: dict[str, text_messages.Fields] = {
    "Point": {
        "x": (1, "int64"),
        "name": (2, "string"),
        "limit": (3, "Int64Value"),
        "weights": (4, "repeated double"),
        "next": (5, "Point"),
        "flag": (6, "bool"),
    }
}


class TestReader:
    def test_scalars_wrappers_lists_and_messages(self):
        text = 'x: 3 name: "a" weights: [0.5, 1] next { flag: true limit { value: 0 } } # comment'
        message = text_messages.parse(text, MESSAGES, "Point")
        assert (message.x, message.name, list(message.weights)) == (3, "a", [0.5, 1.0])
        assert message.next.flag and not message.flag
        assert message.next.HasField("limit") and not message.HasField("limit")

    def test_two_messages_of_one_name_do_not_get_in_each_others_way(self):
        assert text_messages.parse("x: 1", MESSAGES, "Point").x == 1
        other = text_messages.parse('x: "a"', {"Point": {"x": (1, "string")}}, "Point")
        assert other.x == "a"

    @pytest.mark.parametrize("text", ["y: 1", "x: 'a'", "x: 1 x: 2", "{", "next {", "x"])
    def test_mistakes_name_the_message_and_not_this_package(self, text):
        with pytest.raises(ServingError, match="^not Point: ") as caught:
            text_messages.parse(text, MESSAGES, "Point")
        assert caught.value.code is Code.INVALID_ARGUMENT
        assert "flowersim" not in caught.value.message


class TestBatching:
    def test_everything(self):
        # The example of TensorFlow Serving's own documents, and the options it leaves out.
        text = """
            max_batch_size { value: 128 }
            batch_timeout_micros { value: 0 }
            max_enqueued_batches { value: 1000000 }
            num_batch_threads { value: 8 }
            thread_pool_name { value: "threads" }
            allowed_batch_sizes: 32
            allowed_batch_sizes: 128
            pad_variable_length_inputs: true
            enable_large_batch_splitting { value: true }
            max_execution_batch_size { value: 64 }
        """
        assert batching_parameters.parse(text) == BatchingParameters(
            max_batch_size=128,
            batch_timeout_micros=0,
            max_enqueued_batches=1_000_000,
            num_batch_threads=8,
            allowed_batch_sizes=(32, 128),
            pad_variable_length_inputs=True,
            enable_large_batch_splitting=True,
            max_execution_batch_size=64,
        )

    def test_defaults(self):
        parameters = batching_parameters.parse("")
        assert parameters == BatchingParameters()
        # Of `SharedBatchScheduler` and `BatchingSession`.
        assert (parameters.max_batch_size, parameters.batch_timeout_micros) == (1000, 0)
        assert parameters.max_enqueued_batches == 10
        assert parameters.num_batch_threads == os.cpu_count()

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("max_batch_size: 5", "not BatchingParameters: "),
            ("max_batchsize { value: 5 }", 'no field named "max_batchsize"'),
            ("max_batch_size { value: 0 }", "max_batch_size must be at least 1; was 0"),
            ("max_enqueued_batches { value: -1 }", "max_enqueued_batches must be at least 1"),
            ("num_batch_threads { value: 0 }", "num_batch_threads must be at least 1"),
            ("batch_timeout_micros { value: -1 }", "batch_timeout_micros must not be negative"),
            (
                "max_batch_size { value: 8 } max_execution_batch_size { value: 9 }",
                "max_execution_batch_size must not exceed max_batch_size",
            ),
            (
                "max_batch_size { value: 8 } allowed_batch_sizes: [4, 4, 8]",
                "allowed_batch_sizes entries must be in increasing order",
            ),
            (
                "max_batch_size { value: 8 } allowed_batch_sizes: [0, 8]",
                "allowed_batch_sizes entries must be in increasing order",
            ),
            (
                "max_batch_size { value: 8 } allowed_batch_sizes: [2, 4]",
                "The last entry of allowed_batch_sizes must be max_batch_size",
            ),
        ],
    )
    def test_mistakes(self, text, message):
        with pytest.raises(ServingError) as caught:
            batching_parameters.parse(text)
        assert caught.value.code is Code.INVALID_ARGUMENT
        assert message in caught.value.message


class TestMonitoring:
    @pytest.mark.parametrize(
        ("text", "path"),
        [
            ("", None),
            ("prometheus_config {}", None),
            ('prometheus_config { enable: false path: "/m" }', None),
            ("prometheus_config { enable: true }", "/monitoring/prometheus/metrics"),
            ('prometheus_config { enable: true path: "/metrics" }', "/metrics"),
            ('prometheus_config: {\n  enable: true,\n  path: "/metrics"\n}', "/metrics"),
        ],
    )
    def test_the_path_or_none(self, text, path):
        assert monitoring_config.parse(text) == path

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("enable: true", "not MonitoringConfig: "),
            ('prometheus_config { path: "metrics" }', "the path 'metrics' does not begin with /"),
        ],
    )
    def test_mistakes(self, text, message):
        with pytest.raises(ServingError) as caught:
            monitoring_config.parse(text)
        assert caught.value.code is Code.INVALID_ARGUMENT
        assert message in caught.value.message
