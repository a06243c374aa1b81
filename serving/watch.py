"""What Prometheus sees of the endpoint: requests, times by stage, the line, the engine's own counters, and what decides.

Routes are named by their template and callers not at all, so that no number of claims or callers makes more series. Several
processes of one endpoint count together through the folder that :data:`FOLDER` names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from threading import Lock

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, InfoMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable by which several processes count together, as prometheus_client reads it."""

BUCKETS = (0.0005, 0.001, 0.0015, 0.002, 0.0025, 0.003, 0.004, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the histograms, seconds."""

TEXT = b"text/plain; version=0.0.4; charset=utf-8"
"""The content type of the page."""

_PARITY = {
    "parity_checked": "Sampled claims whose features the batch has computed as well",
    "parity_mismatches": "Sampled claims whose live features differ from the batch's",
}


class Watch:
    """Counts and times of one process.

    Parameters
    ----------
    versions
        Names what decides now.
    counters
        The engine's counters, each only ever rising; asked after every group of claims, so it must cost nothing.
    parity
        What the store knows of the sampled claims, by the names of :data:`_PARITY`; asked when the page is read.
    depth
        Claims that wait or are at work.
    shared
        Folder in which several processes count together; ``None``: there is one process.
    """

    def __init__(
        self,
        versions: Callable[[], Mapping[str, str]],
        counters: Callable[[], Mapping[str, int]],
        parity: Callable[[], Mapping[str, int]],
        depth: Callable[[], int],
        shared: str | None = None,
    ) -> None:
        self._counters, self._depth, self._shared = counters, depth, shared
        self._stored = CollectorRegistry(auto_describe=False)
        self._stored.register(_Stored(versions, parity))
        self._registry = CollectorRegistry(auto_describe=False)
        registry = self._registry
        self._requests = Counter("touchstone_requests", "Requests answered", ["method", "route", "status"], registry=registry)
        self._stages = Histogram("touchstone_stage_seconds", "Time by stage", ["stage"], registry=registry, buckets=BUCKETS)
        self._line = Gauge("touchstone_line_claims", "Claims waiting or at work", registry=registry, multiprocess_mode="livesum")
        self._engine = Counter("touchstone_engine", "What the engine did", ["what"], registry=registry)
        self._told: dict[str, int] = {}
        self._lock = Lock()
        self._routes: dict[tuple[str, str, int], Counter] = {}
        self._times = {stage: self._stages.labels(stage) for stage in ("request", "waiting", "deciding")}

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request; its time counts towards the stage ``request`` where a claim was decided."""
        key = (method, route, status)
        count = self._routes.get(key) or self._routes.setdefault(key, self._requests.labels(method, route, str(status)))
        count.inc()
        if route == "/v1/claims:score":
            self._times["request"].observe(seconds)

    def decided(self, waited: float, worked: float) -> None:
        """Note how long a group of claims waited and was at work (seconds), and what the engine counted since."""
        self._times["waiting"].observe(max(0.0, waited))
        self._times["deciding"].observe(worked)
        self.count()

    def count(self) -> None:
        """Bring the engine's counters and the line's length up to date."""
        with self._lock:
            for name, value in self._counters().items():
                more = value - self._told.get(name, 0)
                if more > 0:
                    self._engine.labels(name).inc(more)
                    self._told[name] = value
        self._line.set(self._depth())

    def page(self) -> bytes:
        """Return everything in Prometheus' text format."""
        self.count()
        registry = self._registry
        if self._shared is not None:
            registry = CollectorRegistry()
            MultiProcessCollector(registry, self._shared)  # type: ignore[no-untyped-call]
        return generate_latest(registry) + generate_latest(self._stored)


class _Stored(Collector):
    """What is the same whichever process is asked: what decides, as the labels of one series, and what the store counts."""

    def __init__(self, versions: Callable[[], Mapping[str, str]], parity: Callable[[], Mapping[str, int]]) -> None:
        self._versions, self._parity = versions, parity

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("touchstone_version", "What decides", value=dict(self._versions()))
        found = self._parity()
        for name, meaning in _PARITY.items():
            yield CounterMetricFamily(f"touchstone_{name}", meaning, value=found[name])
