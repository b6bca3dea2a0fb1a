"""The API's own description, attacked: whatever it allows or forbids, no answer is an error of the server."""

from collections.abc import Callable, Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from served import HashScorer, Served, serving_hashes

from kg_pipeline.serving import RequestLimits

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 40


@pytest.fixture(scope="module")
def served(make_settings: Callable) -> Iterator[Served]:
    with serving_hashes(make_settings(limits=RequestLimits(seconds=5)), HashScorer()) as running:
        yield running


@pytest.fixture(scope="module")
def description(served: Served):
    return schemathesis.openapi.from_url(f"{served.url}/openapi.json")


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_no_request_makes_the_server_fail_or_answer_otherwise_than_described(description, mode: GenerationMode) -> None:
    for found in description.get_all_operations():
        operation = found.ok()
        if mode is GenerationMode.NEGATIVE and not operation.body:
            continue  # nothing in a path or a query is wrong by the description

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(max_examples=EXAMPLES, derandomize=True, suppress_health_check=list(HealthCheck))
        def attack(case) -> None:
            case.call_and_validate(checks=CHECKS)

        attack()


def test_the_description_is_whole(served: Served) -> None:
    described = served.get("/openapi.json").json()
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], (method, path)
            assert operation["description"], (method, path)
    body = described["paths"]["/api/rerank"]["post"]["requestBody"]["content"]
    assert set(body) == {"application/json", "multipart/form-data"}
    assert described["components"]["schemas"]["RerankRequest"]["examples"]
    assert "$defs" not in str(described)
