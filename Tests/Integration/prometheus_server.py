"""A real Prometheus with the project's own configuration, on nodes of a test and a free port."""

import contextlib
import json
import re
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest
import yaml

from conftest import LONG, ROOT, eventually

FILES = ROOT / "deploy" / "prometheus"
LISTENING = re.compile(r'msg="Listening on" address=(\S+)')
INTERVAL = "500ms"


class Prometheus:
    """Scraping and evaluating when the constructor returns."""

    def __init__(self, directory, nodes):
        directory.mkdir()
        self.targets = [node.ready_line["http"] for node in nodes]
        config = yaml.safe_load((FILES / "prometheus.yml").read_text())
        config["global"] = {"scrape_interval": INTERVAL, "evaluation_interval": INTERVAL}
        config["rule_files"] = [str(FILES / name) for name in config["rule_files"]]
        del config["alerting"]  # There is no Alertmanager here.
        (job,) = config["scrape_configs"]
        (targets,) = job["static_configs"]
        targets["targets"] = self.targets
        path = directory / "prometheus.yml"
        path.write_text(yaml.safe_dump(config))
        self.log_path = directory / "log"
        with open(self.log_path, "wb") as log:
            try:
                self.process = subprocess.Popen(
                    ["prometheus", f"--config.file={path}", "--web.listen-address=127.0.0.1:0",
                     f"--storage.tsdb.path={directory / 'data'}"],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            except FileNotFoundError:
                pytest.fail("these tests need prometheus (apt-get install prometheus)")
        try:
            self.address = eventually(self._address, LONG, "Prometheus listens")[1]
            eventually(self._is_ready, LONG, "Prometheus is ready")
        except BaseException:
            self.close()
            raise

    def _address(self):
        assert self.process.poll() is None, f"Prometheus ended:\n{self.log[-2000:]}"
        return LISTENING.search(self.log)

    def _is_ready(self):
        try:
            with urllib.request.urlopen(f"http://{self.address}/-/ready", timeout=LONG) as answer:
                return answer.status == 200
        except urllib.error.HTTPError:
            return False

    @property
    def log(self):
        return self.log_path.read_text(errors="backslashreplace")

    def get(self, path, **query):
        """The data of an answer; a refused query fails with Prometheus' own words."""
        url = f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=LONG) as answer:
                document = json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{query or path}: {error.read().decode()}") from None
        assert document["status"] == "success", document
        return document["data"]

    def query(self, expression):
        """[(labels, value as text)] of now."""
        return [(sample["metric"], sample["value"][1])
                for sample in self.get("query", query=expression)["result"]]

    def value(self, expression):
        """The value of the one sample, as text."""
        found = self.query(expression)
        assert len(found) == 1, f"{expression}: {found}"
        return found[0][1]

    def scraped(self):
        """Waits for a scrape of each node that began after this call, and succeeded."""
        now = time.time()

        def are_newer():
            # timestamp() tells when a sample was taken only where it has the bare name.
            taken = [float(value) for _, value in self.query("timestamp(up)")]
            return len(taken) == len(self.targets) and min(taken) > now

        eventually(are_newer, LONG, "a scrape")
        assert {value for _, value in self.query("up")} == {"1"}

    def firing(self):
        """{alert's name: [its labels but the name]}"""
        found = {}
        for alert in self.get("alerts")["alerts"]:
            if alert["state"] == "firing":
                labels = dict(alert["labels"])
                found.setdefault(labels.pop("alertname"), []).append(labels)
        return found

    def close(self):
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def prometheus_on(directory, *nodes):
    prometheus = Prometheus(directory, nodes)
    try:
        yield prometheus
    finally:
        prometheus.close()
