"""The files of deploy/: valid by their own schemas, hardened, and in step with the rest of the repository."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import dagster as dg
import pytest
import yaml
from deployment import DEPLOY, ROOT, compose
from packaging.requirements import Requirement

from kg_pipeline.config import load_collections
from kg_pipeline.orchestration.instance import DAGSTER_YAML

SERVICES = compose()["services"]
OVERLAY = compose("compose.gpu.yaml")["services"]["code-server"]
SERVED = compose("compose.serve-gpu.yaml")["services"]["serve"]
OURS = ("migrate", "upgrade", "code-server", "webserver", "daemon", "serve", "reports")
CONTROL = ("dagster", "dagster-webserver", "dagster-postgres")


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def pins() -> dict[str, list[str]]:
    """Versions of constraints.txt by package; several where they differ by platform or Python."""
    found: dict[str, list[str]] = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            name, version = re.match(r"([\w.-]+)==([\w.+-]+)", line).groups()
            found.setdefault(name, []).append(version)
    return found


def test_the_compose_files_fit_the_compose_specification():
    files = [str(path) for path in sorted(DEPLOY.glob("compose*.yaml"))]
    run(f"{Path(sys.executable).parent}/check-jsonschema", "--builtin-schema", "vendor.compose-spec", *files)


def test_hadolint_finds_nothing_in_the_dockerfile():
    run(f"{Path(sys.executable).parent}/hadolint", str(DEPLOY / "Dockerfile"))


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_is_without_rights_it_does_not_need(service):
    said = SERVICES[service]
    assert said["cap_drop"] == ["ALL"]
    assert said["security_opt"] == ["no-new-privileges:true"]
    assert said.get("user", "root") != "root" or service in OURS, "our images say USER themselves"
    assert not any("docker.sock" in volume for volume in said.get("volumes", ()))
    assert all(port.startswith("127.0.0.1:") for port in said.get("ports", ())), "reachable from other machines"
    if said["restart"] != "no":
        assert said["healthcheck"]["test"]
    for name, value in said["environment"].items():
        if re.search("PASSWORD|AUTH|KEY", name):
            assert name.endswith("_FILE"), name
            assert Path(value).name in said["secrets"]


def test_the_images_run_without_root_and_what_they_mount_is_read_only():
    users = re.findall(r"^USER (\S+)$", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert users[-1] == "10001:10001"
    assert set(users) == {"10001:10001", "0:0"}
    for service in OURS:
        assert SERVICES[service]["read_only"] is True
        places = [volume.partition(":/")[2] for volume in SERVICES[service]["volumes"]]
        writable = {place for place in places if not place.endswith(":ro")}
        assert writable <= {"var/lib/dagster", "data/home"}


@pytest.mark.parametrize("overlay", [OVERLAY, SERVED], ids=["code-server", "serve"])
def test_who_scores_on_a_gpu_gets_one_card_and_shared_memory(overlay):
    [device] = overlay["deploy"]["resources"]["reservations"]["devices"]
    assert device["driver"] == "nvidia"
    assert len(device["device_ids"]) == 1
    assert overlay["shm_size"]
    assert overlay["build"]["target"] == "gpu"
    assert all(volume.endswith(":ro") for volume in overlay["volumes"])


def test_serving_with_a_gpu_is_serving_with_a_model_more():
    without = SERVICES["serve"]["command"]
    assert SERVED["command"][: len(without)] == without


def test_links_in_dagster_lead_to_published_services():
    for name, service in (("KG_PIPELINE_SERVE_URL", "serve"), ("KG_PIPELINE_REPORTS_URL", "reports")):
        said = SERVICES["code-server"]["environment"][name]
        address = re.fullmatch(rf"\$\{{{name}:-http://(.+)\}}", said)[1]
        assert SERVICES[service]["ports"] == [f"{address}:{address.rpartition(':')[2]}"]


def test_code_runs_without_a_way_out_and_without_asking_a_model_hub():
    file = compose()
    assert file["networks"]["inside"] == {"internal": True}
    for service in ("code-server", "daemon", "migrate"):
        assert SERVICES[service]["networks"] == ["inside"]
    assert SERVICES["code-server"]["environment"]["HF_HUB_OFFLINE"] == "1"


def closure(names: tuple[str, ...]) -> set[str]:
    """The packages that pip installs for these, by what is installed here."""
    found: set[str] = set()
    waiting = [Requirement(name) for name in names]
    while waiting:
        wanted = waiting.pop()
        name = re.sub(r"[-_.]+", "-", wanted.name).lower()
        if name in found or (wanted.marker and not wanted.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        try:
            waiting += [Requirement(text) for text in requires(wanted.name) or ()]
        except PackageNotFoundError:
            continue  # for another platform
    return found


def test_the_image_of_web_ui_and_daemon_holds_dagster_and_no_torch():
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    stage = text.split("FROM base AS control")[1].split("FROM ")[0]
    assert re.findall(r"pip install --constraint constraints.txt (.*)", stage) == [" ".join(CONTROL)]
    assert "COPY" not in stage
    installed = closure(CONTROL)
    assert "psycopg2-binary" in installed
    assert not installed & {"torch", "transformers", "kg-pipeline", "polars", "onnxruntime"}


def test_the_constraints_hold_every_dependency_at_a_version_that_is_allowed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [text for extra in project["optional-dependencies"].values() for text in extra]
    found = pins()
    for text in (*project["dependencies"], *extras):
        wanted = Requirement(text)
        assert wanted.name in found, f"{wanted.name}: make constraints.txt again, its first lines say how"
        assert any(wanted.specifier.contains(version) for version in found[wanted.name]), (text, found[wanted.name])


def test_production_and_development_agree_where_both_speak():
    production = yaml.safe_load((DEPLOY / "dagster.yaml").read_text(encoding="utf-8"))
    development = yaml.safe_load(DAGSTER_YAML)

    def differing(ours, theirs, path=""):
        for key, value in ours.items():
            if isinstance(value, dict) and isinstance(theirs.get(key), dict):
                yield from differing(value, theirs[key], f"{path}{key}.")
            elif theirs.get(key) != value:
                yield f"{path}{key}"

    assert list(differing(development, production)) == []


def test_the_workspace_loads_from_where_the_code_server_listens(monkeypatch):
    environment = SERVICES["webserver"]["environment"]
    assert environment["KG_PIPELINE_CODE_HOST"] in SERVICES
    assert environment["KG_PIPELINE_CODE_PORT"] in SERVICES["code-server"]["command"]
    assert "0.0.0.0" in SERVICES["code-server"]["command"]


def test_the_collections_of_the_deployment_are_valid():
    assert set(load_collections(DEPLOY / "collections.yaml")) == {"manuals"}


def test_every_variable_of_the_compose_files_is_in_the_example_of_env():
    used = {name for path in DEPLOY.glob("compose*.yaml") for name in re.findall(r"\$\{(\w+)", path.read_text("utf-8"))}
    example = dict(re.findall(r"^(\w+)=(.*)$", (DEPLOY / ".env.example").read_text(encoding="utf-8"), re.MULTILINE))
    assert used == set(example)


def test_no_file_names_a_registry():
    for path in [*DEPLOY.iterdir(), ROOT / "constraints.txt"]:
        if path.is_file():
            assert not re.search(r"https?://(?!127\.0\.0\.1)|\b[\w-]+\.(io|com|org)/", path.read_text("utf-8")), path


def test_the_entrypoint_reads_secrets_as_they_are(tmp_path):
    odd = "a b$c'\"\\&%"
    (tmp_path / "postgres").write_text(odd + "\n", encoding="utf-8")
    (tmp_path / "neo4j").write_text(f"neo4j/{odd}", encoding="utf-8")
    files = {"DAGSTER_POSTGRES_PASSWORD_FILE": str(tmp_path / "postgres"), "NEO4J_AUTH_FILE": str(tmp_path / "neo4j")}
    show = ["sh", "-c", 'printf "%s|%s|%s" "$DAGSTER_POSTGRES_PASSWORD" "$NEO4J_USERNAME" "$NEO4J_PASSWORD"']
    entrypoint = str(DEPLOY / "entrypoint.sh")
    done = subprocess.run([entrypoint, *show], env=files, capture_output=True, text=True, check=True)
    assert done.stdout == f"{odd}|neo4j|{odd}"
    missing = {"NEO4J_AUTH_FILE": str(tmp_path / "gone")}
    refused = subprocess.run([entrypoint, *show], env=missing, capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert str(tmp_path / "gone") in refused.stderr


def test_the_settings_of_the_instance_are_ones_that_dagster_knows(tmp_path, monkeypatch):
    text = (DEPLOY / "dagster.yaml").read_text(encoding="utf-8").replace("/var/lib/dagster", str(tmp_path))
    said = yaml.safe_load(text)
    del said["storage"]  # needs a server: test_deploy_production.py
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(said), encoding="utf-8")
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert instance.run_monitoring_enabled
        assert instance.get_concurrency_config().pool_config.default_pool_limit == 1
