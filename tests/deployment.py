"""The processes of deploy/compose.yaml, started by hand: its commands, settings, files and health checks as they are.

Nothing here repeats what the compose file and the Dockerfile say. A container's paths become folders of the test, and a
service's name and port become 127.0.0.1 and a free port.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from graph_servers import free_port

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
ENTRYPOINT = "/opt/kg-pipeline/entrypoint.sh"
DEFAULT = re.compile(r"\$\{\w+:-([^}]*)\}")
"""A variable of `.env` that need not be set."""
PATHS = re.compile(r"(?<![\w.])/(?:opt|etc|data|run|var|models)/[\w./-]+")


def compose(name: str = "compose.yaml") -> dict[str, Any]:
    """A compose file as it is written."""
    return yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))


def image_environment(target: str) -> dict[str, str]:
    """ENV of a stage of the Dockerfile and of the stages it is made from."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    stages = re.split(r"^FROM ", text, flags=re.MULTILINE)[1:]
    found: dict[str, dict[str, str]] = {}
    for stage in stages:
        base, name = re.match(r"(\S+) AS (\w+)", stage).groups()
        said = " ".join(re.findall(r"^ENV (.*)$", stage, re.MULTILINE))
        found[name] = found.get(base, {}) | dict(re.findall(r"(\w+)=(\S+)", said))
    return found[target]


@dataclass
class Deployment:
    """Every service of the compose file on this machine, its containers' paths below `root`."""

    root: Path
    folders: dict[str, Path]
    """What the variables of `.env` name: a folder of this machine for each."""
    addresses: dict[str, int] = field(default_factory=dict)
    """Port of 127.0.0.1 for a service's `name:port`."""
    running: dict[str, subprocess.Popen] = field(default_factory=dict)
    services: dict[str, Any] = field(default_factory=lambda: compose()["services"])
    secrets: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    """Text for files that an operator edits, by their path in deploy/."""

    def run(self, service: str) -> subprocess.CompletedProcess:
        """Run a service that ends, such as `migrate`."""
        command = self._command(service, self.services[service]["command"], by_entrypoint=True)
        return subprocess.run(
            command, env=self._environment(service), capture_output=True, text=True, timeout=180, check=False
        )

    def start(self, service: str) -> None:
        """Start a service that stays."""
        command = self._command(service, self.services[service]["command"], by_entrypoint=True)
        with self.log(service).open("a") as log:
            self.running[service] = subprocess.Popen(
                command, env=self._environment(service), stdout=log, stderr=log, start_new_session=True
            )

    def is_healthy(self, service: str) -> bool:
        """Run the health check of a service once."""
        check = self.services[service]["healthcheck"]["test"]
        assert check[0] == "CMD"
        command = self._command(service, check[1:], by_entrypoint=False)
        return subprocess.run(command, env=self._environment(service), capture_output=True, check=False).returncode == 0

    def wait_until_healthy(self, service: str, seconds: float = 120) -> None:
        """Fail the test when the service ends or does not become healthy."""
        until = time.monotonic() + seconds
        while not self.is_healthy(service):
            if self.running[service].poll() is not None or time.monotonic() > until:
                pytest.fail(f"{service} is not healthy:\n{self.log(service).read_text()[-4000:]}")
            time.sleep(0.5)

    def stop(self) -> None:
        """End every process, as `docker compose down` would; kill what does not listen."""
        for process in reversed(self.running.values()):
            process.send_signal(signal.SIGTERM)
        for process in self.running.values():
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def log(self, service: str) -> Path:
        return self.root / f"{service}.log"

    def port(self, address: str) -> int:
        """The port of this machine that stands for `service:port`."""
        return self.addresses.setdefault(address, free_port())

    def path(self, service: str, inside: str) -> Path:
        """The file of this machine that a service sees at `inside`."""
        if inside == ENTRYPOINT:
            return DEPLOY / "entrypoint.sh"
        if inside.startswith("/run/secrets/"):
            path = self.root / "secrets" / Path(inside).name
            if not path.exists():
                path.parent.mkdir(exist_ok=True)
                path.write_text(self.secrets[path.name], encoding="utf-8")
            return path
        for volume in self.services[service].get("volumes", ()):
            source, target = re.fullmatch(r"(.+?):(/[^:]+)(?::ro)?", volume).groups()
            if inside == target or inside.startswith(f"{target}/"):
                return self._volume(service, source, target) / inside.removeprefix(target).strip("/")
        return self.root / service / inside.strip("/")

    @property
    def _published(self) -> dict[str, str]:
        """The service behind each port that browsers reach."""
        ports = (
            (port.rpartition(":")[2], name) for name, said in self.services.items() for port in said.get("ports", ())
        )
        return dict(ports)

    def _volume(self, service: str, source: str, target: str) -> Path:
        if variable := re.match(r"\$\{(\w+)", source):
            return self.folders[variable[1]]
        if not source.startswith("./"):
            (self.root / "volumes" / source).mkdir(parents=True, exist_ok=True)
            return self.root / "volumes" / source
        file = self.root / service / target.strip("/")
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            text = self.files.get(source) or (DEPLOY / source).read_text(encoding="utf-8")
            file.write_text(self._local(service, text), encoding="utf-8")
        return file

    def _command(self, service: str, words: list[str], by_entrypoint: bool) -> list[str]:
        published = [(word, str(self.port(f"{service}:{word}"))) for word in words if re.fullmatch(r"[1-9]\d{3}", word)]
        local = [self._local(service, dict(published).get(word, word)) for word in words]
        if local[0] == "python":
            local[0] = sys.executable
        return [str(self.path(service, ENTRYPOINT)), *local] if by_entrypoint else local

    def _environment(self, service: str) -> dict[str, str]:
        for volume in self.services[service].get("volumes", ()):
            self.path(service, re.search(r":(/[^:]+)", volume)[1])
        said = image_environment(self.services[service]["build"]["target"]) | self.services[service]["environment"]
        local = {name: self._local(service, value) for name, value in said.items()}
        for name in [name for name in said if name.endswith("_HOST")]:
            port = name.replace("_HOST", "_PORT")
            local |= {name: "127.0.0.1", port: str(self.port(f"{said[name]}:{said[port]}"))}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {"PATH": path, "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT), **local}

    def _local(self, service: str, text: str) -> str:
        """The text with the paths and addresses of this machine for those of a container."""
        names = "|".join(self.services)
        text = DEFAULT.sub(r"\1", text)

        def address(found: re.Match[str]) -> str:
            name, port = found.groups()
            owner = self._published.get(port, service) if name[0].isdigit() else name
            return f"127.0.0.1:{self.port(f'{owner}:{port}')}"

        text = re.sub(rf"\b({names}|127\.0\.0\.1):(\d{{4}})\b", address, text)
        text = "127.0.0.1" if text == "0.0.0.0" else text
        return PATHS.sub(lambda found: str(self.path(service, found[0])), text)


@dataclass
class GraphQL:
    """Questions to Dagster's web server."""

    url: str

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of the answer; an error fails the test."""
        import urllib3

        answer = urllib3.request(
            "POST", f"{self.url}/graphql", json={"query": query, "variables": variables}, timeout=60
        ).json()
        assert "errors" not in answer, json.dumps(answer["errors"])[:2000]
        return answer["data"]
