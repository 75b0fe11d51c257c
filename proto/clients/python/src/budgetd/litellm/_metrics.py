"""The plug-in's own metrics, beside LiteLLM's on the proxy's /metrics."""

from __future__ import annotations

import logging
from typing import Any, Iterator, Tuple

log = logging.getLogger("budgetd")


class Counts:
    """What the hooks have counted."""

    __slots__ = ("denied", "no_room", "opened", "closed", "unpriced", "without_cost", "lost",
                 "too_old")

    def __init__(self) -> None:
        self.denied = self.no_room = self.opened = self.closed = 0
        self.unpriced = self.without_cost = self.lost = self.too_old = 0


COUNTERS = (
    ("denied", "Requests that were refused since every candidate is over budget"),
    ("no_room", "Holds that were refused"),
    ("opened", "Requests that passed while budgetd was away"),
    ("closed", "Requests that were refused while budgetd was away"),
    ("unpriced", "Requests whose model has no price"),
    ("without_cost", "Events of LiteLLM that had no cost"),
    ("lost", "Costs that could not be put into the outbox"),
    ("too_old", "Batches and videos polled a day after their end: charged before, or never"),
)


def families(plugin: Any) -> Iterator[Tuple[str, str, str, float]]:
    """Kind, name, help and value of each."""
    for name, words in COUNTERS:
        yield "counter", f"budgetd_litellm_{name}", words, getattr(plugin.metrics, name)
    yield "gauge", "budgetd_litellm_attempts", "Attempts under way", plugin.open_attempts
    if plugin.client is not None:
        stats = plugin.client.stats
        yield "gauge", "budgetd_litellm_owed", "Records without an answer", stats.owed
        for name, words in (("recorded", "Records that budgetd has taken"),
                            ("duplicates", "Records whose key was seen before"),
                            ("dropped", "Records that were refused for good"),
                            ("retries", "Records that were sent again")):
            yield "counter", f"budgetd_litellm_{name}", words, getattr(stats, name)


class Collector:
    def __init__(self, plugin: Any, metrics: Any) -> None:
        self._plugin, self._metrics = plugin, metrics

    def collect(self) -> Iterator[Any]:
        for kind, name, words, value in families(self._plugin):
            made = (self._metrics.CounterMetricFamily if kind == "counter"
                    else self._metrics.GaugeMetricFamily)
            yield made(name, words, value=value)


def register(plugin: Any) -> None:
    """Where LiteLLM's metrics are served (prometheus_client is there), these are too."""
    try:
        from prometheus_client import REGISTRY
        from prometheus_client import metrics_core
    except ImportError:
        return
    try:
        REGISTRY.register(Collector(plugin, metrics_core))
    except ValueError as error:
        log.debug("budgetd: metrics are there already: %s", error)
