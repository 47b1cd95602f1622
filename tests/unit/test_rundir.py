from __future__ import annotations

import errno
import json
import threading
from pathlib import Path

import pytest

from forgia_hpc.errors import InputError
from forgia_hpc.metrics import MetricsFile, read_metrics
from forgia_hpc.rundir import RunDir, read_json, write_json, write_whole


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    target = tmp_path / "x.json"
    write_json(target, {"old": 1})

    def torn() -> None:
        with write_whole(target) as temporary:
            temporary.write_text("half")
            raise OSError(errno.ENOSPC, "disk full")

    with pytest.raises(OSError, match="disk"):
        torn()
    assert json.loads(target.read_text()) == {"old": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


def test_nan_never_becomes_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "x.json", {"loss": float("nan")})
    assert not list(tmp_path.iterdir())


def test_events_of_many_writers_are_all_there_and_in_order(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    writers = [
        threading.Thread(target=lambda n=n: [run.event("beat", writer=n, i=i) for i in range(25)])
        for n in range(4)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    events = run.events("beat")
    assert len(events) == 100
    for n in range(4):
        assert [e.facts["i"] for e in events if e.facts["writer"] == n] == list(range(25))
    assert not list((tmp_path / "events").glob(".*"))


def test_an_event_word_does_not_match_a_longer_one(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.event("submitted_twice")
    run.event("submitted")
    assert [event.what for event in run.events("submitted")] == ["submitted"]


def test_metrics_skip_a_torn_line_and_keep_the_later_of_two(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    with MetricsFile(path) as metrics:
        metrics.append(1, loss=3.0)
        metrics.append(2, loss=float("nan"))
        metrics.append(1, loss=2.0)
    with path.open("a") as opened:
        opened.write('{"step": 3, "los')
    assert read_metrics(path) == [{"step": 1, "loss": 2.0}, {"step": 2, "loss": None}]


def test_broken_json_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(InputError, match=r"a\.json: got 'broken JSON"):
        read_json(tmp_path / "a.json")
