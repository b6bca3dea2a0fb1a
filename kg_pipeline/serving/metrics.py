"""What a server counts for Prometheus; never a word of a query, never a name of a picture."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from kg_pipeline.serving.batching import Turn

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
PAIRS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """The counters of one server, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "kg_pipeline_requests", "Answered requests.", ("route", "method", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "kg_pipeline_request_seconds", "From arrival to answer.", ("route",), buckets=SECONDS,
            registry=self.registry,
        )  # fmt: skip
        self.pairs = Counter("kg_pipeline_pairs", "Pairs that were scored.", registry=self.registry)
        self.turns = Histogram("kg_pipeline_turn_pairs", "Pairs of one turn on the device.", buckets=PAIRS,
                               registry=self.registry)  # fmt: skip
        self.turn_jobs = Histogram("kg_pipeline_turn_requests", "Requests that share a turn.", buckets=PAIRS,
                                   registry=self.registry)  # fmt: skip
        self.turn_seconds = Counter("kg_pipeline_turn_seconds", "Time the device was busy.", registry=self.registry)
        self.explanations = Counter("kg_pipeline_explanations", "Sentences the model wrote.", registry=self.registry)
        self.waiting_pairs = Gauge("kg_pipeline_waiting_pairs", "Pairs that wait.", registry=self.registry)
        self.waiting_jobs = Gauge("kg_pipeline_waiting_requests", "Requests in the queue.", registry=self.registry)

    def on_turn(self, turn: Turn, seconds: float) -> None:
        """Count a turn of the scorer."""
        self.turn_seconds.inc(seconds)
        if turn.pairs:
            self.pairs.inc(turn.pairs)
            self.turns.observe(turn.pairs)
            self.turn_jobs.observe(len(turn.jobs))
        if turn.explanation:
            self.explanations.inc()

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self.registry)
