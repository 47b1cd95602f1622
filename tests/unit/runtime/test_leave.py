from __future__ import annotations

import subprocess
import sys


def test_everything_said_is_there_and_nothing_is_torn_down() -> None:
    code = (
        "import atexit, sys\n"
        "from forgia_hpc.runtime.leave import leave\n"
        "atexit.register(lambda: sys.stdout.write('torn down'))\n"
        "sys.stdout.write('said')\n"
        "leave(6)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (6, "said")
