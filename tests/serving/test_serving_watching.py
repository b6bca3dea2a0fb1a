"""The watched folder: real files and real processes, with a scorer that only counts."""

import json
import logging
import multiprocessing
import os
import signal
import stat
import struct
import sys
import threading
import time
import zipfile
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from waiting import wait_for

from kg_pipeline.config import Limits
from kg_pipeline.serving import watching
from kg_pipeline.serving.answers import RankedPicture, RerankAnswer
from kg_pipeline.serving.errors import UnavailableError
from kg_pipeline.serving.watched_folder import Pair, WatchError, WatchFolder
from kg_pipeline.serving.watching import Watcher

QUERY = "服务器机柜内红色报警灯亮起"


def png(shade: int = 0) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (8, 8), (shade, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def answered(query, pictures):
    """Scores by place, and the query as the reason, so that a test sees what arrived."""
    results = tuple(
        RankedPicture(each.name, each.image_id, 9.0, place + 1, 1.0, 1.0, 0.9, 2.0, query, error=each.error)
        for place, each in enumerate(pictures)
    )
    return RerankAnswer(results, 1, "stub", "text-to-image")


class Place:
    """A folder to watch and one for results."""

    def __init__(self, root: Path) -> None:
        self.jobs, self.results = root / "in", root / "out"
        self.jobs.mkdir()

    def put(self, name="line2", query: str | bytes = QUERY, members=None) -> None:
        with zipfile.ZipFile(self.jobs / f"{name}.zip", "w") as archive:
            for member, data in ({"a.png": png()} if members is None else members).items():
                archive.writestr(member, data)
        (self.jobs / f"{name}.txt").write_bytes(query if isinstance(query, bytes) else query.encode())

    def watcher(self, answer=answered, **options) -> Watcher:
        return Watcher(self.jobs, self.results, answer, **{"poll_seconds": 0.01, "patience_seconds": 0.0, **options})

    def found(self) -> list[dict]:
        return [json.loads(path.read_bytes()) for path in sorted(self.results.glob("*_result.json"))]

    def ended(self, folder: str) -> list[Path]:
        return sorted((self.jobs / folder).glob("*"))

    def reason(self) -> str:
        (job,) = self.ended("failed")
        return (job / "reason.txt").read_text(encoding="utf-8")

    def left(self) -> list[str]:
        """Files that nobody has taken."""
        return sorted(path.name for path in self.jobs.iterdir() if path.is_file() and not path.name.startswith("."))


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def test_a_job_becomes_a_result_with_the_names_of_the_members_and_moves_to_done(place, caplog):
    caplog.set_level(logging.INFO)
    place.put(members={"cabinet/red.png": png(), "绿灯.png": png(1)})
    assert place.watcher().run_once().done == 1
    (result,) = place.found()
    assert [each["image_path"] for each in result["results"]] == ["cabinet/red.png", "绿灯.png"]
    assert result["results"][0]["raw_output"] == QUERY
    (file,) = place.results.iterdir()
    assert file.name.endswith("Z_line2_result.json")
    (job,) = place.ended("done")
    assert file.name == f"{job.name}_result.json"
    assert sorted(path.name for path in job.iterdir()) == ["job.json", "line2.txt", "line2.zip"]
    assert place.left() == []
    assert "2 pictures" in caplog.text
    assert QUERY not in caplog.text


@pytest.mark.parametrize(
    "query",
    [
        QUERY.encode("utf-8-sig"),
        QUERY.encode("gbk"),
        QUERY.encode("utf-16"),
        f"\r\n{QUERY}\r\n".encode(),
        (QUERY + "\n").encode("gb18030"),
    ],
)
def test_a_query_is_read_as_windows_and_others_write_it(place, query):
    place.put(query=query)
    place.watcher().run_once()
    assert place.found()[0]["results"][0]["raw_output"] == QUERY


def test_a_western_query_is_not_taken_for_chinese(place):
    place.put(query="Müller: Gerät prüfen, Störung an der Tür".encode("cp1252"))
    place.watcher().run_once()
    assert place.found()[0]["results"][0]["raw_output"] == "Müller: Gerät prüfen, Störung an der Tür"


@pytest.mark.parametrize("name", ["服务器机柜/红色报警灯.png", "図面.png", "Müller.png", "plain.png", "Фото.png"])
def test_names_without_the_utf_8_flag_are_read_as_their_makers_saw_them(place, name):
    """What the zip of Chinese Windows, and of an old zip on Linux, has in place of names."""
    encoding = {"図面.png": "utf-8", "Müller.png": "cp437", "Фото.png": "utf-8"}.get(name, "gbk")
    with zipfile.ZipFile(place.jobs / "a.zip", "w") as archive:
        archive.writestr("x" * len(name.encode(encoding)), png())
    data = (place.jobs / "a.zip").read_bytes()
    (place.jobs / "a.zip").write_bytes(data.replace(b"x" * len(name.encode(encoding)), name.encode(encoding)))
    (place.jobs / "a.txt").write_text("red")
    place.watcher().run_once()
    assert place.found()[0]["results"][0]["image_path"] == name


def test_a_picture_that_is_broken_has_an_error_and_the_others_scores(place):
    place.put(members={"a.png": png(), "empty.png": b"", "notes.docx": b"x", "__MACOSX/._a.png": b"x", ".b.png": b"x"})
    place.watcher().run_once()
    assert [(each["image_path"], each.get("error")) for each in place.found()[0]["results"]] == [
        ("a.png", None),
        ("empty.png", "the file is empty"),
    ]


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("member", "data", "reason"),
    [
        ("../../etc/cron.d/a.png", png(), "its name leaves the archive"),
        ("/etc/passwd.png", png(), "its name leaves the archive"),
        ("C:\\a.png", png(), "its name leaves the archive"),
        ("a\\..\\..\\b.png", png(), "its name leaves the archive"),
        (link("a.png"), b"/etc/passwd", "it is a link"),
        ("inner.ZIP", b"PK", "holds archives ('inner.ZIP')"),
        ("readme.md", b"x", "holds no picture"),
    ],
)
def test_an_archive_that_may_harm_is_refused_whole_and_says_why(place, member, data, reason):
    place.put()
    with zipfile.ZipFile(place.jobs / "line2.zip", "a" if "picture" not in reason else "w") as archive:
        archive.writestr(member, data)
    assert place.watcher().run_once().failed == 1
    assert reason in place.reason()
    assert place.found() == []


def test_bombs_are_refused_by_ratio_size_and_number(place):
    with zipfile.ZipFile(place.jobs / "ratio.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", b"\0" * 3_000_000)
    (place.jobs / "ratio.txt").write_text("red")
    place.put("bytes", members={"a.png": b"x" * 20_000})
    place.put("members", members={f"{number}.png": png() for number in range(30)})
    limits = Limits(archive_bytes=10_000, archive_members=20)
    assert place.watcher(limits=Limits()).run_once().failed == 1
    place.watcher(limits=limits).run_once()
    place.put("bytes", members={"a.png": b"x" * 20_000})
    place.put("members", members={f"{number}.png": png() for number in range(30)})
    place.watcher(limits=limits).run_once()
    reasons = {job.name.rpartition("_")[2]: (job / "reason.txt").read_text() for job in place.ended("failed")}
    assert "packed tighter than 200 to 1" in reasons["ratio"]
    assert "archive_bytes" in reasons["bytes"]
    assert "archive_members" in reasons["members"]


def test_an_overlapping_bomb_is_refused(place):
    """Many members over the same packed bytes: none is packed tightly, all together are."""
    place.put(members={"a.png": os.urandom(2_000)})
    data = (place.jobs / "line2.zip").read_bytes()
    central = data.index(b"PK\x01\x02")
    end = data.index(b"PK\x05\x06")
    entry, count = data[central:end], 1_000
    entries = b"".join(entry.replace(b"a.png", b"%05d" % number) for number in range(count))
    closing = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(entries), central, 0)
    (place.jobs / "line2.zip").write_bytes(data[:central] + entries + closing)
    place.watcher(limits=Limits(archive_ratio=20)).run_once()
    assert "packed tighter than 20 to 1" in place.reason()


def test_an_encrypted_archive_is_refused(place):
    place.put()
    data = bytearray((place.jobs / "line2.zip").read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + flags] |= 1
    (place.jobs / "line2.zip").write_bytes(data)
    place.watcher().run_once()
    assert "it is encrypted" in place.reason()


@pytest.mark.parametrize(("query", "reason"), [(b"  \r\n", "query is empty"), (b"\x7fELF\0\0\0\1\2\0", "no text")])
def test_a_query_that_is_none_fails(place, query, reason):
    place.put(query=query)
    place.watcher().run_once()
    assert reason in place.reason()


def test_files_that_grow_are_waited_for(place):
    place.put()
    whole = (place.jobs / "line2.zip").read_bytes()
    archive = place.jobs / "line2.zip"
    watcher = place.watcher(patience_seconds=60)
    for size in (10, 50, len(whole) - 1):
        archive.write_bytes(whole[:size])
        assert watcher.run_once().done == 0
        assert watcher.run_once().failed == 0  # unchanged, but not whole
    archive.write_bytes(whole)
    assert watcher.run_once().done == 1


def test_an_upload_that_was_broken_off_fails_in_the_end(place):
    place.put()
    archive = place.jobs / "line2.zip"
    archive.write_bytes(archive.read_bytes()[:-9])
    place.watcher().run_once()
    assert "not complete" in place.reason()


def test_links_hidden_files_and_lone_halves_are_left_alone(place, tmp_path):
    place.put("real")
    (place.jobs / "real.zip").rename(tmp_path / "elsewhere.zip")
    (place.jobs / "real.zip").symlink_to(tmp_path / "elsewhere.zip")
    (place.jobs / ".hidden.txt").write_text("x")
    (place.jobs / ".hidden.zip").write_bytes(b"x")
    (place.jobs / "lone.txt").write_text("x")
    assert vars(place.watcher().run_once()) == {"done": 0, "failed": 0, "waiting": 0}
    assert place.left() == ["lone.txt", "real.txt", "real.zip"]


def test_upper_case_suffixes_and_long_or_odd_names_work(place):
    place.put("A" * 240)
    place.put("line\n2; rm -rf ~")
    place.put("UPPER")
    (place.jobs / "UPPER.zip").rename(place.jobs / "UPPER.ZIP")
    assert place.watcher().run_once().done == 3
    assert len(place.found()) == 3


def test_a_second_watcher_is_refused(place):
    place.put()
    with WatchFolder(place.jobs).locked(), pytest.raises(WatchError, match=rf"process {os.getpid()} on"):
        place.watcher().run_once()
    assert place.watcher().run_once().done == 1


def test_a_job_of_the_same_name_is_a_new_job(place):
    for _ in range(3):
        place.put()
        place.watcher().run_once()
    assert len(place.found()) == len(place.ended("done")) == 3


def test_while_the_scorer_is_away_a_job_waits_and_no_other_is_taken(place, caplog):
    away = [True]

    def answer(query, pictures):
        if away[0]:
            raise UnavailableError("the reranker failed")
        return answered(query, pictures)

    place.put("first")
    place.put("second")
    watcher = place.watcher(answer)
    assert watcher.run_once().waiting == 1
    assert watcher.run_once().waiting == 1
    assert place.left() == ["second.txt", "second.zip"]
    assert caplog.text.count("the scorer is away") == 1
    away[0] = False
    assert watcher.run_once().done == 2


def test_a_running_watcher_takes_what_arrives_while_it_scores_and_waits_for_a_folder_that_is_away(place, monkeypatch):
    monkeypatch.setattr(watching, "RETRY_SECONDS", 0.1)
    scoring, go_on, stopped = threading.Event(), threading.Event(), threading.Event()

    def answer(query, pictures):
        scoring.set()
        go_on.wait(60)
        return answered(query, pictures)

    thread = threading.Thread(target=place.watcher(answer).run, args=(stopped,))
    place.put("first")
    thread.start()
    try:
        assert scoring.wait(60)
        place.put("second")
        go_on.set()
        wait_for(lambda: len(place.found()) == 2, 60, "two results")
        away = place.jobs.rename(place.jobs.with_name("away"))
        time.sleep(0.1)
        assert thread.is_alive()
        away.rename(place.jobs)
        place.put("third")
        wait_for(lambda: len(place.found()) == 3, 60, "three results")
    finally:
        stopped.set()
        go_on.set()
        thread.join(60)
    assert len(place.ended("done")) == 3


def test_a_folder_for_results_that_goes_away_is_waited_for_and_not_made_anew(place, monkeypatch, caplog):
    monkeypatch.setattr(watching, "RETRY_SECONDS", 0.1)
    stopped = threading.Event()
    thread = threading.Thread(target=place.watcher().run, args=(stopped,))
    thread.start()
    try:
        wait_for(place.results.is_dir, 60, "the folder for results")
        place.results.rmdir()
        place.put()
        wait_for(lambda: "_line2 waits: " in caplog.text, 60, "the log to say that it waits")
        assert not place.results.exists()
        place.results.mkdir()
        wait_for(lambda: len(place.found()) == 1, 60, "a result")
    finally:
        stopped.set()
        thread.join(60)


def test_what_a_person_puts_into_or_takes_out_of_working_hurts_nothing(place):
    def away(query, pictures):
        raise UnavailableError("away")

    place.put("removed")
    watcher = place.watcher(away)
    assert watcher.run_once().waiting == 1
    (job,) = place.ended("working")
    (job / "removed.zip").unlink()
    (place.jobs / "working" / "mine").mkdir()
    (place.jobs / "working" / "mine" / "letter.doc").write_text("x")
    (place.jobs / "working" / ".DS_Store").write_text("x")
    assert watcher.run_once().failed == 1
    assert "taken away" in place.reason()
    place.put("next")
    assert place.watcher().run_once().done == 1
    assert (place.jobs / "working" / "mine" / "letter.doc").exists()


CHANGES = frozenset({"os.rename", "os.mkdir", "os.rmdir", "os.remove", "open"})


def run_and_die(place: Place, step: int) -> int | None:
    """Run a watcher in a process that is killed at its `step`th change of the disk; None when it lived to its end."""

    def child() -> None:
        steps = [0]

        def hook(event: str, arguments: tuple) -> None:
            if event in CHANGES and str(place.jobs.parent) in str(arguments[0]):
                if steps[0] == step:
                    os.kill(os.getpid(), signal.SIGKILL)
                steps[0] += 1

        sys.addaudithook(hook)
        place.watcher().run_once()
        os._exit(0)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join()
    return process.exitcode or None


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_killed_at_any_step_and_once_more_a_job_has_exactly_one_result(tmp_path):
    step, deaths = 0, 0
    while True:
        for again in {None, 1, 4, step}:
            root = tmp_path / f"{step}-{again}"
            root.mkdir()
            place = Place(root)
            place.put(members={"a.png": png(), "b.png": png(1)})
            died = run_and_die(place, step)
            deaths += died is not None
            if again is not None:
                run_and_die(place, again)
            place.watcher().run_once()
            assert len(place.found()) == 1, (step, again)
            assert [len(result["results"]) for result in place.found()] == [2]
            assert len(place.ended("done")) == 1, (step, again)
            assert place.left() == []
            assert place.ended("working") == place.ended("failed") == []
            assert len(list(place.results.iterdir())) == 1, (step, again)
        if died is None:
            break
        step += 1
    assert deaths > 40


def test_a_job_that_lost_a_file_while_no_watcher_ran_fails_and_a_replaced_one_is_a_new_job(place):
    place.put("taken")
    files = WatchFolder(place.jobs)
    pair = Pair("taken", place.jobs / "taken.txt", place.jobs / "taken.zip")
    claimed = files.claim(pair, datetime.now(UTC), place.results)
    claimed.query.unlink()
    place.put("taken", query="another")
    outcome = place.watcher().run_once()
    assert (outcome.failed, outcome.done) == (1, 1)
    assert "taken away or replaced" in place.reason()
    assert place.found()[0]["results"][0]["raw_output"] == "another"
