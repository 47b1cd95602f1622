"""The options that sbatch knows, and the one that a misspelt word is near to."""

from __future__ import annotations

import difflib

# sbatch(1) of 22.05 and later ones; a site's plugins add others
_NAMES = """
    account array begin bb bbf chdir cluster-constraint clusters comment constraint container contiguous
    core-spec cores-per-socket cpu-freq cpus-per-gpu cpus-per-task deadline delay-boot dependency distribution
    error exclude exclusive export export-file extra-node-info get-user-env gid gpu-bind gpu-freq gpus
    gpus-per-node gpus-per-socket gpus-per-task gres gres-flags hint hold ignore-pbs input job-name
    kill-on-invalid-dep licenses mail-type mail-user mcs-label mem mem-bind mem-per-cpu mem-per-gpu mincpus
    network nice no-kill no-requeue nodefile nodelist nodes ntasks ntasks-per-core ntasks-per-gpu
    ntasks-per-node ntasks-per-socket open-mode output overcommit oversubscribe parsable partition power
    prefer priority profile propagate qos quiet reboot requeue reservation signal sockets-per-node
    spread-job switches test-only thread-spec threads-per-core time time-min tmp uid use-min-nodes verbose
    wait wait-all-nodes wckey workdir wrap
"""
KNOWN = tuple(_NAMES.split())


def is_known(name: str) -> bool:
    """Whether sbatch itself knows an option; it takes the beginning of a name too."""
    return len(name) == 1 or any(known.startswith(name) for known in KNOWN)


def meant(name: str) -> str:
    """Return the option that a misspelt one is near to; empty for a known one and for a plugin's."""
    if is_known(name):
        return ""
    return next(iter(difflib.get_close_matches(name, KNOWN, n=1, cutoff=0.8)), "")
