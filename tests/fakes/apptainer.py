"""A fake `apptainer`: notes what it was asked, then runs the inner command on the host. It isolates nothing."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

_FAKE = """#!{python}
import json, os, secrets, sys
words = sys.argv[1:]
assert words.pop(0) == "exec", words
binds, flags, folder = [], [], None
while words[0].startswith("-"):
    word = words.pop(0)
    if word == "--bind":
        binds.append(words.pop(0))
    elif word == "--pwd":
        folder = words.pop(0)
    else:
        flags.append(word)
image, argv = words[0], words[1:]
assert all(os.path.exists(place) for place in binds), binds
names = [name for name in os.environ if name.startswith("APPTAINERENV_")]
told = dict(image=image, binds=binds, flags=flags, folder=folder, argv=argv)
told["env"] = {{name: os.environ[name] for name in names}}
with open(os.path.join({record!r}, secrets.token_hex(8) + ".json"), "x") as out:
    json.dump(told, out)
for name in names:
    os.environ[name.removeprefix("APPTAINERENV_")] = os.environ[name]
os.chdir(folder)
os.execvp(argv[0], argv)
"""


def install_apptainer(folder: Path) -> Path:
    """Put the fake into `folder`; return where it notes its calls."""
    record = folder.with_name(f"{folder.name}-calls")
    for each in (folder, record):
        each.mkdir(parents=True)
    path = folder / "apptainer"
    path.write_text(_FAKE.format(python=sys.executable, record=str(record)))
    path.chmod(0o755)
    return record


def told(record: Path) -> list[dict[str, Any]]:
    """Return what it was asked, in no order."""
    return [json.loads(path.read_text()) for path in record.glob("*.json")]
