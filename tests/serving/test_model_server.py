"""Starting, replacing versions under load, and stopping, from outside."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import httpx
import pytest

from serving.errors import ServingError
from serving.model_server import ServerOptions, main, running_server
from serving.options import parse_flags

SERVER = [sys.executable, "-m", "serving.model_server"]


def run_server(*flags):
    return subprocess.run([*SERVER, *flags], capture_output=True, text=True, timeout=60)


def quick(base, **options):
    return ServerOptions(str(base), model_name="add", file_system_poll_wait_seconds=0.05, **options)


def add(client, x=0.0):
    return client.post("/v1/models/add:predict", content=json.dumps({"instances": [x]}))


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


class TestFlags:
    def test_help_is_quick_and_names_every_option(self):
        text = run_server("--help").stdout
        flags = set(re.findall(r"^  --(\w+) \[?[A-Z]", text, re.MULTILINE))
        assert flags == set(ServerOptions.__dataclass_fields__)
        times = []
        for _ in range(3):
            begin = time.perf_counter()
            run_server("--help")
            times.append(time.perf_counter() - begin)
        assert min(times) < 0.5

    def test_the_module_imports_no_tensorflow(self):
        code = "import sys, serving.model_server; assert 'tensorflow' not in sys.modules"
        subprocess.run([sys.executable, "-c", code], check=True)

    def test_values(self):
        options = parse_flags(
            [
                "--model_name=flowers",
                "--model_base_path=/models/flowers",
                "--rest_api_port=80",
                "--rest_api_host=0.0.0.0",
                "--rest_api_timeout_in_ms=5",
                "--file_system_poll_wait_seconds=2",
            ]
        )
        assert options == ServerOptions(
            "/models/flowers",
            "flowers",
            rest_api_host="0.0.0.0",
            rest_api_port=80,
            port=8500,
            rest_api_timeout_in_ms=5,
            file_system_poll_wait_seconds=2.0,
        )
        defaults = parse_flags(["--model_base_path=x"])
        assert (defaults.rest_api_host, defaults.rest_api_port) == ("127.0.0.1", 8501)

    @pytest.mark.parametrize(
        "flags",
        [
            [],
            ["--model_base_path=x", "--model_config_file=y"],
            ["--model_base_path=x", "--enable_batching=perhaps"],
            ["--model_base_path=x", "--batching_parameters_file=y"],
            ["--model_config_file=x", "--request_log_prefix=y"],
            ["--model_base_path=x", "--request_log_sampling_rate=2"],
            ["--model_base_path=x", "--rest_api_port=0"],
            ["--model_base_path=x", "--rest_api_port=70000"],
            ["--model_base_path=x", "--rest_api_num_threads=0"],
            ["--model_base_path=x", "--file_system_poll_wait_seconds=-1"],
            ["--model_base_path=x", "--file_system_poll_wait_seconds=nan"],
            ["--model_base=x"],
        ],
    )
    def test_mistakes(self, flags, capsys):
        with pytest.raises(SystemExit) as caught:
            parse_flags(flags)
        assert caught.value.code == 2 and "error:" in capsys.readouterr().err


class TestStartErrors:
    def test_missing_base_path(self, tmp_path, capsys):
        assert (
            main([f"--model_base_path={tmp_path}/nowhere", f"--rest_api_port={free_port()}"]) == 1
        )
        error = capsys.readouterr().err
        assert error.startswith("model_server: ") and "nowhere" in error and error[-1] == "\n"

    def test_port_in_use(self, tmp_path, capsys):
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            assert main([f"--model_base_path={tmp_path}", f"--rest_api_port={port}"]) == 1
        assert f"cannot listen on 127.0.0.1:{port}" in capsys.readouterr().err

    def test_a_model_that_cannot_be_loaded(self, tmp_path):
        (tmp_path / "3").mkdir()
        (tmp_path / "3" / "saved_model.pb").write_bytes(b"no model")
        with pytest.raises(ServingError, match="3"), running_server(quick(tmp_path)):
            pytest.fail("the server started")

    def test_no_model_in_time(self, tmp_path):
        server = running_server(quick(tmp_path), timeout_seconds=0.2)
        with pytest.raises(ServingError, match="no version of model add"), server:
            pytest.fail("the server started")


class TestVersions:
    def test_no_request_fails_while_versions_change(self, push, tmp_path):
        push(tmp_path, 1)
        answers, stop = [], threading.Event()

        def ask(url):
            with httpx.Client(base_url=url, timeout=20) as client:
                while not stop.is_set():
                    answers.append(add(client))

        with running_server(quick(tmp_path)) as url:
            threads = [threading.Thread(target=ask, args=[url]) for _ in range(3)]
            for thread in threads:
                thread.start()
            with httpx.Client(base_url=url, timeout=20) as client:
                for version in (2, 3, 4):
                    push(tmp_path, version)
                    wait_for(lambda version=version: add(client).json()["predictions"] == [version])
            stop.set()
            for thread in threads:
                thread.join()
        assert len(answers) >= 10
        assert {answer.status_code for answer in answers} == {200}
        values = [answer.json()["predictions"][0] for answer in answers]
        assert set(values) == {1.0, 2.0, 3.0, 4.0}

    def test_a_corrupt_version_leaves_the_old_one_serving(self, push, tmp_path):
        push(tmp_path, 1)
        (tmp_path / "5").mkdir()  # as while it is being copied
        with running_server(quick(tmp_path)) as url, httpx.Client(base_url=url) as client:
            (tmp_path / "2").mkdir()
            (tmp_path / "2" / "saved_model.pb").write_bytes(b"no model")

            def shown():
                return client.get("/v1/models/add").json()["model_version_status"]

            wait_for(lambda: shown()[0]["state"] == "END")
            broken, serving = shown()
            assert broken["version"] == "2" and broken["status"]["error_code"] != "OK"
            assert broken["status"]["error_message"]
            assert (serving["version"], serving["state"]) == ("1", "AVAILABLE")
            assert add(client).json() == {"predictions": [1.0]}
            assert client.get("/v1/models/add/versions/2/metadata").status_code == 404
            push(tmp_path, 3)
            wait_for(lambda: add(client).json() == {"predictions": [3.0]})

    def test_the_first_version_may_come_later(self, push, tmp_path):
        port = free_port()
        options = quick(tmp_path)
        results = {}

        def serve_it():
            with running_server(options, port=port) as url, httpx.Client(base_url=url) as client:
                results["answer"] = add(client).json()

        thread = threading.Thread(target=serve_it)
        thread.start()
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            wait_for(lambda: answers(client))
            status = client.get("/v1/models/add")
            assert status.status_code == 404
            assert status.json() == {"error": "Could not find any versions of model add"}
            assert add(client).json() == {"error": "Servable not found for request: Latest(add)"}
            push(tmp_path, 2)
            thread.join(timeout=60)
        assert results == {"answer": {"predictions": [2.0]}}


class TestAddresses:
    def test_only_this_machine_unless_told_otherwise(self, add_folder):
        with running_server(quick(add_folder)) as url:
            assert url.startswith("http://127.0.0.1:")

    def test_ip_version_6(self, add_folder):
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError:
            pytest.skip("this machine has no IPv6 loopback address")
        with running_server(quick(add_folder, rest_api_host="::1")) as url:
            assert url.startswith("http://[::1]:")
            assert httpx.get(f"{url}/v1/models/add").status_code == 200

    def test_answers_do_not_wait_for_acknowledgements(self, add_folder):
        # Without TCP_NODELAY each takes 40 ms, on however fast a machine.
        with running_server(quick(add_folder)) as url, httpx.Client(base_url=url) as client:
            times = []
            for _ in range(50):
                begin = time.perf_counter()
                client.get("/v1/models/add")
                times.append(time.perf_counter() - begin)
        assert min(times) < 0.03


class TestStop:
    def test_the_port_is_free_again(self, push, tmp_path):
        push(tmp_path, 1)
        before = set(threading.enumerate())
        with running_server(quick(tmp_path)) as url:
            assert httpx.get(f"{url}/v1/models/add").status_code == 200
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{url}/v1/models/add")
        assert set(threading.enumerate()) <= before

    def test_a_process_finishes_requests_and_leaves_with_status_0(self, zoo_folder, tmp_path):
        port = free_port()
        log = tmp_path / "log"
        flags = [f"--model_base_path={zoo_folder}", "--model_name=zoo", f"--rest_api_port={port}"]
        flags.append(f"--port={free_port()}")
        environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
        with log.open("w") as output:
            process = subprocess.Popen(
                [*SERVER, *flags], stdout=output, stderr=output, env=environment
            )
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                wait_for(lambda: answers(client, "zoo", 200) or process.poll(), seconds=240)
                answer = {}

                def ask_slowly():
                    answer["slow"] = client.post(
                        "/v1/models/zoo:predict",
                        json={"signature_name": "slow", "inputs": [400_000]},
                    )

                thread = threading.Thread(target=ask_slowly)
                thread.start()
                time.sleep(0.5)
                assert not answer, "the slow request was too quick for this test"
                process.send_signal(signal.SIGTERM)
                thread.join()
            assert answer["slow"].json() == {"outputs": [400_000]}
            assert process.wait(timeout=30) == 0
        finally:
            process.kill()
        lines = log.read_text().splitlines()
        assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ INFO ", line) for line in lines)
        assert any("zoo: version 7 is available" in line for line in lines)
        assert any(line.endswith(f"web page at http://127.0.0.1:{port}/") for line in lines)


def answers(client, model="add", status=404):
    try:
        return client.get(f"/v1/models/{model}/metadata").status_code == status
    except httpx.ConnectError:
        return False


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]
