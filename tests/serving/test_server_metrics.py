"""Counters and histograms: what a server counts, and the text as Prometheus's parser reads it."""

from __future__ import annotations

import math
import re
import threading

import httpx
import numpy as np
import pytest

from serving.model_server import ServerOptions, running_server
from serving.server_metrics import Counter, Histogram, ServerMetrics

LINE = re.compile(r'^[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-zA-Z_]\w*="([^"\\\n]|\\.)*",?)+\})? \S+$')


def parsed(text: str) -> dict[str, dict[tuple, float]]:
    """Values by name of the family, and by name and labels of the sample.

    The parser gives counters a name that ends in `_total`, whether or not the text does.
    """
    parser = pytest.importorskip("prometheus_client.parser")
    return {
        family.name: {
            (sample.name.removesuffix("_total"), *sorted(sample.labels.items())): sample.value
            for sample in family.samples
        }
        for family in parser.text_string_to_metric_families(text)
    }


class TestText:
    def test_every_line_is_of_the_format(self):
        metrics = ServerMetrics()
        metrics.request_count.add('a"b\\c\nd', "OK")
        metrics.request_latency.add(12.5, "m", "Predict", "REST")
        metrics.load_latency.add("/models/m/1", amount=5)
        lines = metrics.text().split("\n")
        assert lines.pop() == ""  # the last line ends, too
        comments = [line for line in lines if line.startswith("#")]
        assert all(re.match(r"^# (HELP|TYPE) :tensorflow:[\w:]+ .+$", line) for line in comments)
        assert all(LINE.match(line) for line in lines if line not in comments)

    def test_labels_survive(self):
        counter = Counter("requests", "Text.", ["model", "status"])
        names = ["plain", 'a"b', "back\\slash", "new\nline", "ümlaut", "{},=", ""]
        for number, name in enumerate(names, start=1):
            counter.add(name, "OK", amount=number)
        samples = parsed("\n".join(counter.lines()) + "\n")["requests"]
        assert sorted(samples.values()) == list(range(1, len(names) + 1))
        assert {dict(key[1:])["model"] for key in samples} == set(names)

    def test_a_histogram_is_what_numpy_counts(self):
        limits = [1.0, 10.0, 100.0]
        histogram = Histogram("latency", "Text.", ["model"], limits)
        values = np.concatenate([np.random.default_rng(0).exponential(30.0, 500), limits])
        for value in values:
            histogram.add(float(value), "m")
        samples = parsed("\n".join(histogram.lines()) + "\n")["latency"]
        for limit in limits:
            key = ("latency_bucket", ("le", f"{limit:g}"), ("model", "m"))
            assert samples[key] == (values <= limit).sum()
        assert samples["latency_bucket", ("le", "+Inf"), ("model", "m")] == len(values)
        assert samples["latency_count", ("model", "m")] == len(values)
        assert samples["latency_sum", ("model", "m")] == pytest.approx(values.sum(), rel=1e-12)

    def test_buckets_of_latencies_are_tensorflow_servings(self):
        metrics = ServerMetrics()
        metrics.request_latency.add(1.0, "m", "Predict", "REST")
        samples = parsed(metrics.text())[":tensorflow:serving:request_latency"]
        limits = sorted(float(dict(key[1:])["le"]) for key in samples if "_bucket" in key[0])
        assert limits[-1] == math.inf
        # `monitoring::Buckets::Exponential(10, 1.8, 33)`
        np.testing.assert_allclose(limits[:-1], 10 * 1.8 ** np.arange(33), rtol=1e-5)

    def test_no_number_is_lost_between_threads(self):
        counter = Counter("c", "Text.", ["x"])
        histogram = Histogram("h", "Text.", [], [1.0])

        def work():
            for number in range(2000):
                counter.add(str(number % 3))
                histogram.add(number % 2 * 2.0)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (counter.total(), histogram.total()) == (8000, 8000)
        assert "h_sum 8000" in histogram.lines()

    def test_totals_have_tensorflows_own_names(self):
        metrics = ServerMetrics()
        metrics.request_count.add("m", "OK", amount=2)
        metrics.request_count.add("m", "NOT_FOUND")
        metrics.runtime_latency.add(5.0, "m", "Predict", "TF2")
        totals = metrics.totals()
        assert totals["/tensorflow/serving/request_count"] == 3
        assert totals["/tensorflow/serving/runtime_latency"] == 1
        assert totals["/tensorflow/cc/saved_model/load_attempt_count"] == 0


class TestServer:
    @pytest.fixture
    def monitoring(self, tmp_path):
        path = tmp_path / "monitoring.config"
        path.write_text('prometheus_config { enable: true path: "/metrics" }')
        return str(path)

    def test_what_is_counted(self, zoo_folder, monitoring):
        options = ServerOptions(
            str(zoo_folder),
            model_name="zoo",
            monitoring_config_file=monitoring,
            max_request_bytes=1000,
        )
        with running_server(options) as url, httpx.Client(base_url=url) as client:
            for _ in range(3):
                client.post("/v1/models/zoo:predict", json={"instances": [1.0]})
            client.post("/v1/models/zoo:predict", content=b" " * 1001)
            client.post("/v1/models/zoo:predict", json={"instances": ["x"]})
            client.post("/v1/models/invented-1:predict", json={"instances": [1.0]})
            client.post("/v1/models/invented-2:predict", json={"instances": [1.0]})
            client.post("/v1/models/zoo:classify", json={"examples": [{"x": 1.0}]})
            response = client.get("/metrics")
        assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        # Under this name, not one that ends in _total, do dashboards know it.
        assert (
            '\n:tensorflow:serving:request_count{model_name="zoo",status="OK"} 3\n' in response.text
        )
        families = parsed(response.text)
        serving, saved = ":tensorflow:serving:", ":tensorflow:cc:saved_model:"
        count = families[f"{serving}request_count"]
        name = f"{serving}request_count"
        assert count == {
            (name, ("model_name", "zoo"), ("status", "OK")): 3,
            (name, ("model_name", "zoo"), ("status", "INVALID_ARGUMENT")): 2,
            (name, ("model_name", "zoo"), ("status", "RESOURCE_EXHAUSTED")): 1,
            # Whatever clients make up is one label, not many.
            (name, ("model_name", ""), ("status", "NOT_FOUND")): 2,
        }
        whole = (("API", "Predict"), ("entrypoint", "REST"), ("model_name", "zoo"))
        latency = families[f"{serving}request_latency"]
        assert latency[(f"{serving}request_latency_count", *whole)] == 3
        part = (("API", "Predict"), ("model_name", "zoo"), ("runtime", "TF2"))
        runtime = families[f"{serving}runtime_latency"]
        assert runtime[(f"{serving}runtime_latency_count", *part)] == 3
        took = latency[(f"{serving}request_latency_sum", *whole)]
        assert 0 < runtime[(f"{serving}runtime_latency_sum", *part)] < took
        path = f"{zoo_folder}/7"
        attempts = families[f"{saved}load_attempt_count"]
        assert attempts == {
            (f"{saved}load_attempt_count", ("model_path", path), ("status", "OK")): 1
        }
        assert families[f"{saved}load_latency"][f"{saved}load_latency", ("model_path", path)] > 1000

    def test_failed_loads_are_counted(self, tmp_path, monitoring):
        (tmp_path / "base" / "3").mkdir(parents=True)
        (tmp_path / "base" / "3" / "saved_model.pb").write_bytes(b"no model")
        (tmp_path / "base" / "2").mkdir()
        config = tmp_path / "models.config"
        config.write_text("model_config_list {}")
        options = ServerOptions(
            model_config_file=str(config),
            model_config_file_poll_wait_seconds=0.05,
            monitoring_config_file=monitoring,
        )
        with running_server(options) as url:
            config.write_text(
                f'model_config_list {{ config {{ name: "m" base_path: "{tmp_path}/base" }} }}'
            )
            name = ":tensorflow:cc:saved_model:load_attempt_count"
            for _ in range(400):
                samples = parsed(httpx.get(f"{url}/metrics").text).get(name, {})
                if samples:
                    break
        ((key, count),) = samples.items()
        assert count == 1 and dict(key[1:])["model_path"] == f"{tmp_path}/base/3"
        assert dict(key[1:])["status"] != "OK"

    def test_batches_are_counted(self, zoo_folder, monitoring):
        options = ServerOptions(
            str(zoo_folder),
            model_name="zoo",
            monitoring_config_file=monitoring,
            enable_batching=True,
        )
        with running_server(options) as url, httpx.Client(base_url=url) as client:
            for rows in (1, 3):
                client.post("/v1/models/zoo:predict", json={"instances": [1.0] * rows})
            families = parsed(client.get("/metrics").text)
        name = ":tensorflow:serving:batching_session:processed_batch_size"
        samples = families[name]
        assert samples[f"{name}_count", ("model_name", "zoo")] == 2
        assert samples[f"{name}_sum", ("model_name", "zoo")] == 4

    def test_off_unless_asked_for(self, zoo):
        for path in ("/metrics", "/monitoring/prometheus/metrics"):
            assert zoo.get(path).status_code == 404
