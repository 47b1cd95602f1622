"""What a job refuses by itself."""

from __future__ import annotations

import pytest

from forgia_hpc.errors import InputError
from forgia_hpc.schema.job import Command


def test_a_resumable_program_says_where_it_saves() -> None:
    assert Command(argv=["x"], resumable=True, progress="states").save_s == 20
    with pytest.raises(InputError, match="requeued only while what it saves changes"):
        Command(argv=["x"], resumable=True)


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ({"argv": ["a\0b"]}, "command.argv"),
        ({"progress": "states"}, "command.progress"),
        ({"resumable": True, "progress": "/scratch/states"}, "command.progress"),
        ({"resumable": True, "progress": "states/../../../other"}, "command.progress"),
        ({"stop_signal": "KILL"}, "command.stop_signal"),
        ({"stop_signal": "SIGKILL"}, "command.stop_signal"),
        ({"save_s": 0}, "command.save_s"),
        ({"save_s": 86_400}, "command.save_s"),
    ],
)
def test_what_no_program_could_be_told(words: dict, field: str) -> None:
    with pytest.raises(InputError) as caught:
        Command(**words)
    assert [one.field for one in caught.value.problems] == [field]
