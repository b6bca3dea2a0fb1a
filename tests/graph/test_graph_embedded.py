import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from graph_servers import settings_for
from graph_tables import tables_of

from kg_pipeline.graph import GraphError, connect, count_graph, embedded, sync, wanted_graph
from kg_pipeline.graph.embedded import ServerFolder, attached, is_locked

EMBEDDED = settings_for(None)
WAIT_SECONDS = 60

USER = """
import sys, time
from pathlib import Path
from kg_pipeline.graph.embedded import attached
with attached(Path(sys.argv[1])) as server:
    print(server.uri, flush=True)
    sys.stdin.read()
"""


def start_user(home: Path) -> subprocess.Popen:
    command = [sys.executable, "-c", USER, str(home)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def a_user(home: Path) -> tuple[subprocess.Popen, str]:
    """Another process that uses the server of `home` until its input ends, and the address it got."""
    process = start_user(home)
    return process, process.stdout.readline().strip()


def server_pid(home: Path) -> int:
    return json.loads(ServerFolder(home).state.read_text())["pid"]


def wait_for_the_end(home: Path) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while is_locked(ServerFolder(home).alive):
        assert time.monotonic() < deadline, "the server still runs"
        time.sleep(0.1)


def test_processes_share_one_server_which_outlives_a_killed_user_and_ends_with_the_last(tmp_path):
    first, first_uri = a_user(tmp_path)
    second, second_uri = a_user(tmp_path)
    assert first_uri == second_uri != ""
    pid = server_pid(tmp_path)
    first.kill()
    first.wait()
    with connect(EMBEDDED, tmp_path) as connection:
        assert connection.address == first_uri
        # It looks for users twice a second.
        time.sleep(1.5)
        assert connection.read("RETURN 1 AS one") == [{"one": 1}]
    assert psutil.pid_exists(pid)
    second.kill()
    second.wait()
    wait_for_the_end(tmp_path)
    assert not ServerFolder(tmp_path).state.exists()
    assert list(ServerFolder(tmp_path).users.iterdir()) == []


def test_what_was_written_is_there_after_a_restart_and_after_a_kill(tmp_path):
    wanted = wanted_graph("test", tables_of())
    with connect(EMBEDDED, tmp_path) as connection:
        sync(connection, "test", wanted, home=tmp_path)
    wait_for_the_end(tmp_path)
    with connect(EMBEDDED, tmp_path) as connection:
        report = sync(connection, "test", wanted, home=tmp_path)
        assert (report.writes, report.read_back) == (0, False)
        os.kill(server_pid(tmp_path), signal.SIGKILL)
    wait_for_the_end(tmp_path)
    with connect(EMBEDDED, tmp_path) as connection:
        assert sync(connection, "test", wanted, home=tmp_path).writes == 0
        assert count_graph(connection, "test") == {**wanted.counts(), "Collection": 1}


def test_a_server_that_is_killed_under_its_user_is_a_graph_error(tmp_path):
    with connect(EMBEDDED, tmp_path) as connection:
        os.kill(server_pid(tmp_path), signal.SIGKILL)
        with pytest.raises(GraphError, match="no Neo4j server answers"):
            connection.read("RETURN 1 AS one")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_server_cleanly(tmp_path, number):
    with attached(tmp_path):
        os.kill(server_pid(tmp_path), number)
        wait_for_the_end(tmp_path)
    assert not ServerFolder(tmp_path).state.exists()
    assert "Server is down" in ServerFolder(tmp_path).log_tail()


def test_the_server_is_in_a_session_of_its_own_so_that_ctrl_c_does_not_reach_it(tmp_path):
    with attached(tmp_path):
        assert os.getsid(server_pid(tmp_path)) != os.getsid(0)


def test_many_processes_at_once_start_one_server(tmp_path):
    users = [start_user(tmp_path) for _ in range(4)]
    assert len({user.stdout.readline() for user in users}) == 1
    for user in users:
        user.stdin.close()
        assert user.wait(WAIT_SECONDS) == 0
    wait_for_the_end(tmp_path)


def test_files_left_by_a_crash_do_not_matter(tmp_path):
    folder = ServerFolder(tmp_path)
    folder.prepare()
    folder.state.write_text('{"port": 1, "pid": 1}')
    (folder.users / "1-dead.user").touch()
    folder.alive.touch()
    with connect(EMBEDDED, tmp_path) as connection:
        assert connection.read("RETURN 1 AS one") == [{"one": 1}]
    wait_for_the_end(tmp_path)


def test_the_password_is_readable_by_its_owner_alone_and_stands_nowhere_else(tmp_path):
    with attached(tmp_path) as server:
        folder = ServerFolder(tmp_path)
        assert folder.password_file.stat().st_mode & 0o777 == 0o600
        assert folder.path.stat().st_mode & 0o777 == 0o700
        password = server.auth[1]
        assert password not in folder.log.read_text()
        command = psutil.Process(server_pid(tmp_path)).cmdline()
        assert all(password not in part for part in command)
    assert password not in repr(server)


def test_a_start_that_fails_shows_the_log(tmp_path, monkeypatch):
    folder = ServerFolder(tmp_path)
    folder.prepare()
    folder.data.write_text("no folder")
    with pytest.raises(GraphError) as error, attached(tmp_path):
        pass
    assert str(folder.log) in str(error.value)
    assert folder.log_tail() in str(error.value)
    assert "NEO4J_URI" in str(error.value)


def test_a_start_that_hangs_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(embedded, "START_SECONDS", 0.2)
    with pytest.raises(GraphError, match="does not answer"), attached(tmp_path):
        pass
    wait_for_the_end(tmp_path)
    monkeypatch.undo()
    with attached(tmp_path) as server:
        assert server.uri


def test_a_home_that_cannot_be_written_is_a_graph_error(tmp_path):
    (tmp_path / "graph").write_text("a file")
    with pytest.raises(GraphError, match="KG_PIPELINE_HOME"), attached(tmp_path):
        pass


def test_forked_workers_do_not_keep_the_server_running(tmp_path):
    context = multiprocessing.get_context("spawn")
    with attached(tmp_path):
        worker = context.Process(target=time.sleep, args=(30,))
        worker.start()
    wait_for_the_end(tmp_path)
    worker.kill()
    worker.join()
