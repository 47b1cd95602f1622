"""The seal: what goes in, what stays out, and that two of the same are equal."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from forgia_hpc import provenance
from forgia_hpc.digest import digest_of, sha256_file
from forgia_hpc.errors import InputError, SealBrokenError
from forgia_hpc.jobs.package import Plan, job_digest, seal
from forgia_hpc.jobs.plan import Wish, make_plan
from forgia_hpc.node.seal import check_data, check_seal
from forgia_hpc.schema.job import Kind


def plan(*overrides: str, argv: tuple[str, ...] = ("true",)) -> Plan:
    return make_plan(Wish(kind=Kind.command, overrides=overrides, argv=argv))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "pkg").mkdir(parents=True)
    (root / "pkg" / "train.py").write_text("print('hi')\n")
    (root / ".git").mkdir()
    (root / ".git" / "HEAD").write_text("x")
    (root / ".env").write_text("TOKEN=hunter2")
    (root / ".git-credentials").write_text("https://me:hunter2@host")
    (root / "token").write_text("hunter2")
    (root / "id_ed25519").write_text("not for others")
    (root / "server.pem").write_text("not for others")
    (root / "big.bin").write_bytes(b"\0" * (provenance.FILE_CAP + 1))
    (root / "outside").symlink_to("/etc/passwd")
    return root


def test_two_submissions_of_the_same_thing_have_one_digest(source: Path) -> None:
    first, second = (seal(plan(f"command.source={source}")) for _ in range(2))
    assert first.run.name != second.run.name
    assert first.digest == second.digest == job_digest(plan(f"command.source={source}"))
    (source / "pkg" / "train.py").write_text("print('ho')\n")
    assert seal(plan(f"command.source={source}")).digest != first.digest
    assert seal(plan(f"command.source={source}", "seed=1")).digest != first.digest


def test_the_digest_under_slurm_forgets_the_place_and_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = set()
    for name in "ab":
        monkeypatch.setenv("FORGIA_RUNS", str(tmp_path / name))
        asked = ("resources.account=x", "resources.walltime=00:30:00")
        digests.add(seal(plan("cluster=leonardo_booster", *asked)).digest)
    assert len(digests) == 1


def test_secrets_and_big_files_stay_out_and_are_told(source: Path) -> None:
    sealed = seal(plan(f"command.source={source}"))
    kept = {
        str(path.relative_to(sealed.run.code / "source"))
        for path in (sealed.run.code / "source").rglob("*")
        if path.is_file()
    }
    assert kept == {"pkg/train.py"}
    assert set(sealed.left_out) == {
        f"source/{name}"
        for name in (
            ".git",
            ".env",
            ".git-credentials",
            "token",
            "id_ed25519",
            "server.pem",
            "big.bin",
            "outside",
        )
    }
    written = b"".join(path.read_bytes() for path in sealed.run.path.rglob("*") if path.is_file())
    assert b"hunter2" not in written
    assert b"not for others" not in written


def test_ctrl_c_in_the_middle_leaves_no_run(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = plan(f"command.source={source}")

    def interrupted() -> dict[str, object]:
        raise KeyboardInterrupt

    monkeypatch.setattr(provenance, "environment", interrupted)
    with pytest.raises(KeyboardInterrupt):
        seal(wanted)
    assert list(wanted.run.path.parent.iterdir()) == []


def test_every_edit_of_a_sealed_run_is_named(source: Path) -> None:
    sealed = seal(plan(f"command.source={source}"))
    run = sealed.run
    check_seal(run, sealed.digest)
    (run.code / "source" / "pkg" / "train.py").write_text("evil")
    (run.code / "forgia_hpc" / "errors.py").unlink()
    (run.code / "sitecustomize.py").write_text("evil")
    run.config.write_text(run.config.read_text().replace("seed: 0", "seed: 1"))
    with pytest.raises(SealBrokenError) as caught:
        check_seal(run, sealed.digest)
    for words in (
        "source/pkg/train.py: content differs",
        "forgia_hpc/errors.py: sealed, but not there",
        "sitecustomize.py: there, but not sealed",
        "config.yaml: content differs",
    ):
        assert words in str(caught.value)


def test_a_line_in_the_runs_own_record_does_not_unseal_a_file(source: Path) -> None:
    """`admitted` tells digests of what a chain's door has written; it once went before the sealed ones."""
    sealed = seal(plan(f"command.source={source}"))
    run = sealed.run
    run.config.write_text(run.config.read_text().replace("seed: 0", "seed: 1"))
    run.event("admitted", dataset="x", files={"config.yaml": sha256_file(run.config)})
    with pytest.raises(SealBrokenError, match=r"config\.yaml: content differs"):
        check_seal(run, sealed.digest)


def test_a_moved_run_and_a_swapped_manifest_are_refused(source: Path) -> None:
    sealed = seal(plan())
    moved = sealed.run.path.rename(sealed.run.path.with_name("elsewhere"))
    with pytest.raises(SealBrokenError, match="moved; it was sealed as"):
        check_seal(type(sealed.run)(moved), sealed.digest)
    other = seal(plan("seed=1"))
    with pytest.raises(SealBrokenError, match="do not give the digest that was submitted"):
        check_seal(other.run, sealed.digest)


def test_an_edit_that_mends_the_manifest_too_is_refused(source: Path) -> None:
    sealed = seal(plan(f"command.source={source}"))
    run = sealed.run
    path = run.code / "source" / "pkg" / "train.py"
    path.write_text("evil")
    manifest = json.loads(run.manifest.read_text())
    manifest["code"]["source/pkg/train.py"] = sha256_file(path)
    run.manifest.write_text(json.dumps(manifest))
    with pytest.raises(SealBrokenError, match="do not give the digest"):
        check_seal(run, sealed.digest)
    parts = {name: manifest[name] for name in ("files", "start", "sbatch", "code", "environment")}
    run.manifest.write_text(json.dumps({**manifest, "digest": digest_of(parts)}))
    with pytest.raises(SealBrokenError, match="do not give the digest"):
        check_seal(run, None)


def test_an_edited_script_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    sealed = seal(
        plan("cluster=leonardo_booster", "resources.account=x", "resources.walltime=00:30:00")
    )
    check_seal(sealed.run, sealed.digest)
    script = sealed.run.path / "job.sbatch"
    script.write_text(script.read_text().replace("--nodes=1", "--nodes=2"))
    with pytest.raises(SealBrokenError, match=r"job\.sbatch"):
        check_seal(sealed.run, sealed.digest)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda p: p.write_bytes(b"abcdX"), "content differs"),
        (lambda p: p.write_bytes(b"abc"), "3 bytes, sealed with 5"),
        (lambda p: p.unlink(), "cannot be read"),
    ],
)
def test_a_shard_that_changed_is_named(damage, words: str, tmp_path: Path) -> None:
    shard = tmp_path / "train-000.h5"
    shard.write_bytes(b"abcde")
    entry = {"path": shard.name, "bytes": 5, "sha256": sha256_file(shard)}
    sealed = seal(plan())
    grant = {"contributions": [{"directory": str(tmp_path), "shards": [entry]}]}
    (sealed.run.inputs / "grant.json").write_text(json.dumps(grant))
    assert check_data(sealed.run) == 5
    damage(shard)
    with pytest.raises(SealBrokenError, match=words) as caught:
        check_data(sealed.run)
    assert str(shard) in str(caught.value)


def test_user_code_is_sealed_from_every_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "mine"
    (root / "mymodel").mkdir(parents=True)
    (root / "mymodel" / "__init__.py").write_text("")
    (root / "mymodel" / "net.py").write_text("x = 1\n")
    (root / "single.py").write_text("y = 1\n")
    (root / "notes.txt").write_text("no code")
    monkeypatch.setenv("FORGIA_PATH", str(root))
    code = seal(plan()).run.code
    assert (code / "mymodel" / "net.py").is_file()
    assert (code / "single.py").is_file()
    assert not (code / "notes.txt").exists()
    monkeypatch.setenv("FORGIA_PATH", os.pathsep.join([str(root), str(tmp_path / "gone")]))
    with pytest.raises(InputError, match="FORGIA_PATH"):
        seal(plan())


def test_an_edited_installed_package_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import base64
    import hashlib
    import sys

    site = tmp_path / "site"
    info = site / "victim-1.0.dist-info"
    info.mkdir(parents=True)
    module = site / "victim.py"
    module.write_text("x = 1\n")
    digest = (
        base64.urlsafe_b64encode(hashlib.sha256(module.read_bytes()).digest()).rstrip(b"=").decode()
    )
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: victim\nVersion: 1.0\n")
    (info / "RECORD").write_text(f"victim.py,sha256={digest},6\n")
    monkeypatch.syspath_prepend(str(site))
    sealed = provenance.environment()
    assert sealed["packages"]["victim"]["version"] == "1.0"
    import victim  # type: ignore[import-not-found]

    assert victim.x == 1
    provenance.check_imported_modules(tmp_path / "code")
    module.write_text("x = 2\n")
    with pytest.raises(SealBrokenError, match=r"victim\.py"):
        provenance.check_imported_modules(tmp_path / "code")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: victim\nVersion: 1.1\n")
    with pytest.raises(SealBrokenError, match=r"package victim: sealed 1\.0 .*, here 1\.1"):
        provenance.check_environment(sealed)
    sys.modules.pop("victim")


def test_what_only_the_shell_adds_is_not_the_jobs_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "module" / "shadow-9.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shadow\nVersion: 9\n")
    before = provenance.environment()
    monkeypatch.syspath_prepend(str(tmp_path / "module"))
    assert "shadow" in provenance.environment()["packages"]
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "module"))
    assert provenance.environment() == before


def test_what_a_library_adds_to_the_path_when_imported_is_not_the_jobs_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that submits may have imported setuptools, which brings vendored packages; a rank has not."""
    here = tmp_path / "site-packages"
    vendored, egg = here / "builder" / "_vendor", here / "old-9.egg"
    for place, name in ((here, "builder"), (vendored, "shadow"), (egg, "old")):
        info = place / f"{name}-9.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 9\n")
    monkeypatch.setattr(provenance.site, "getsitepackages", lambda: [str(here)])
    (here / "easy-install.pth").write_text("# eggs\nimport sys\n./old-9.egg\n")
    monkeypatch.syspath_prepend(str(egg))  # as site does at the start of every interpreter
    monkeypatch.syspath_prepend(str(here))
    before = provenance.environment()
    assert {"builder", "old"} <= set(before["packages"])
    monkeypatch.syspath_prepend(str(vendored))
    assert provenance.environment() == before
