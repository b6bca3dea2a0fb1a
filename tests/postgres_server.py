"""A Postgres of the tests' own, from Debian's packages (or any whose `initdb` can be found)."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

REQUIRED = "KG_PIPELINE_REQUIRE_POSTGRES"
START_SECONDS = 60


@contextmanager
def running_postgres(command: list[str], port: int, user: str, password: str, database: str) -> Iterator[None]:
    """`command` (`postgres` and its options) on a new cluster whose superuser is `user`; skips where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    initdb = str(found[-1]) if found else shutil.which("initdb")
    if initdb is None:
        reason = "no Postgres here: apt-get install postgresql"
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(f"{reason} ({REQUIRED}=1)")
        pytest.skip(reason)
    programs = Path(initdb).parent
    # Not below pytest's folder: Postgres refuses to run as root, and another user may not enter there.
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        account = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
        if account:
            shutil.chown(folder, "postgres", "postgres")
        secret = Path(folder) / "password"
        secret.write_text(password, encoding="utf-8")
        secret.chmod(0o644)
        cluster = f"{folder}/data"
        make = [
            initdb,
            "-D",
            cluster,
            "-U",
            user,
            f"--pwfile={secret}",
            "-A",
            "scram-sha-256",
            "--no-sync",
            "-E",
            "UTF8",
        ]
        subprocess.run([*make, "--locale=C.UTF-8"], check=True, capture_output=True, cwd=folder, **account)
        with (Path(folder) / "log").open("w") as log:
            options = ["-D", cluster, "-p", str(port), "-h", "127.0.0.1", "-k", folder]
            start = [str(programs / command[0]), *command[1:], *options]
            server = subprocess.Popen(start, stdout=log, stderr=log, cwd=folder, **account)
        there = ["-h", "127.0.0.1", "-p", str(port)]
        try:
            until = time.monotonic() + START_SECONDS
            while subprocess.run([programs / "pg_isready", *there], capture_output=True, check=False).returncode:
                if server.poll() is not None or time.monotonic() > until:
                    pytest.fail(f"Postgres did not start:\n{(Path(folder) / 'log').read_text()[-2000:]}")
                time.sleep(0.2)
            environment = {"PGPASSWORD": password, "PATH": os.environ["PATH"]}
            subprocess.run([programs / "createdb", *there, "-U", user, database], env=environment, check=True)
            yield
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(30)
