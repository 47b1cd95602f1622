"""The same job once more: a new run directory with the seal of an old one, byte for byte."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from forgia_hpc import provenance
from forgia_hpc.digest import digest_of, sha256_file
from forgia_hpc.errors import SealBrokenError
from forgia_hpc.jobs.package import Plan, Sealed, new_run
from forgia_hpc.jobs.plan import Wish
from forgia_hpc.rundir import RunDir, read_json, write_json, write_text
from forgia_hpc.schema.job import Kind, Launch
from forgia_hpc.schema.load import load_job
from forgia_hpc.slurm.cluster import load_cluster

SEALED = ("files", "start", "sbatch", "code", "environment")  # what the job digest is taken over


def seal_again(old: RunDir) -> Sealed:
    """Copy the seal of `old` into a new run; the job digest stays, place and name are new.

    Raises:
        SealBrokenError: the old run no longer holds what was sealed.
    """
    check_still_sealed(old)
    seal, record = read_json(old.manifest), read_json(old.job)
    new = new_run(record["kind"], old.path.parent)
    work = RunDir(new.path.with_name(f".{new.name}.part"))
    work.path.mkdir(mode=0o750)
    try:
        text = _fill(old, new, work, seal["digest"])
        write_json(work.job, {**record, "name": new.name, "path": str(new.path)})
        work.path.rename(new.path)
    except BaseException:  # Ctrl-C too: nothing half-written stays
        shutil.rmtree(work.path, ignore_errors=True)
        raise
    new.event("sealed", digest=seal["digest"], left_out=seal["left_out"], again_from=old.name)
    return Sealed(run=new, digest=seal["digest"], text=text, left_out=seal["left_out"])


def wish_again(old: RunDir, overrides: Sequence[str]) -> Wish:
    """Return the wish that made `old`, with more overrides; it is composed anew, with today's code."""
    record = read_json(old.job)
    words = [str(word) for word in record["command"]]
    said, argv = words[2:], []
    if "--" in said:
        at = said.index("--")
        said, argv = said[:at], said[at + 1 :]
    own = [word for word in said if "=" in word and not word.startswith("--")]
    kind = Kind(record["kind"])
    return Wish(kind=kind, overrides=[*own, *overrides], argv=argv, debug="--debug" in said)


def sealed_plan(old: RunDir) -> Plan:
    """Return a sealed run as the plan that it was, to be priced and foreseen; its inputs stay in the seal.

    Raises:
        InputError: its cluster has no profile any more.
        SealBrokenError: its config is not as it was sealed.
    """
    record, job = read_json(old.job), load_job(old.config)
    cluster = load_cluster(record["cluster"])
    return Plan(job=job, cluster=cluster, run=old, data={}, launch=Launch(record["launch"]))


def check_still_sealed(run: RunDir) -> None:
    """Compare code, config and inputs with the digests of the manifest, and these with the job digest.

    Raises:
        SealBrokenError: names every file that differs.
    """
    seal = read_json(run.manifest)
    if missing := [key for key in (*SEALED, "digest") if key not in seal]:
        raise SealBrokenError(f"{run.manifest}: it has no {', '.join(missing)}")
    if digest_of({key: seal[key] for key in SEALED}) != seal["digest"]:
        raise SealBrokenError(f"{run.manifest}: its parts do not give the digest that it names")
    code = provenance.compare(seal["code"], provenance.tree_digests(run.code))
    files = {
        place: sha256_file(run.path / place)
        for place in seal["files"]
        if (run.path / place).is_file()
    }
    found = [f"code/{line}" for line in code] + provenance.compare(seal["files"], files)
    script = run.path / "job.sbatch"
    if script.exists():
        text = script.read_text(encoding="utf-8")
        if provenance.script_digest(text, run.path, seal["digest"]) != seal["sbatch"]:
            found.append("job.sbatch: content differs from the seal")
    if found:
        raise SealBrokenError(f"{run.name} can't be run again as it was: " + "; ".join(found))


def _fill(old: RunDir, new: RunDir, work: RunDir, digest: str) -> str:
    for folder in (work.logs, work.checkpoints, work.output, work.path / "stop"):
        folder.mkdir()
    shutil.copytree(old.code, work.code, ignore=shutil.ignore_patterns("__pycache__"))
    # what was sealed, and not what a door has written since: the new run has a door of its own
    for place in read_json(old.manifest)["files"]:
        (work.path / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(old.path / place, work.path / place)
    shutil.copy2(old.manifest, work.manifest)
    script = old.path / "job.sbatch"
    if not script.exists():
        return ""
    text = script.read_text(encoding="utf-8")
    text = text.replace(str(old.path), str(new.path)).replace(old.name, new.name)
    write_text(work.path / "job.sbatch", text)
    return text
