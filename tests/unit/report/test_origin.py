from fakes.finished_run import finished_run

from forgia_hpc.report.facts import RunFacts, deep, read_run
from forgia_hpc.report.origin import command, flat, origin
from forgia_hpc.report.progress import progress


def test_the_origin_names_digests_versions_and_the_cluster(tmp_path):
    rows = dict(origin(read_run(finished_run(tmp_path))))

    assert rows["Job digest"] == "9d1c" * 16
    assert len(rows["Code digest"]) == 64
    assert (rows["Cluster"], rows["Nodes"], rows["Seed"]) == ("leonardo_booster", "4", "7")
    assert (rows["torch"], rows["Ranks in all"], rows["Slurm job"]) == ("2.13.0", "16", "29312288")


def test_a_command_is_quoted_for_the_shell():
    assert command(RunFacts("x", job={"command": ["forgia", "a b"]})) == "forgia 'a b'"
    assert command(RunFacts("x")) == ""


def test_documents_are_flattened_to_short_scalars():
    document = {"a": {"b": True, "c": [1, 2]}, "d": 0.1234567, "e": None, "f": "x" * 999}

    assert flat(document) == [("a.b", "yes"), ("d", "0.123457")]


def test_values_are_found_below():
    assert deep({"train": {"steps": 3}}, "steps") == 3
    assert deep({"a": {"b": {"c": {"steps": 3}}}}, "steps") is None


def test_figures_are_those_of_the_rows(tmp_path):
    figures = progress(read_run(finished_run(tmp_path)))

    assert figures.steps == 600
    assert figures.tokens == 44_236_800
    assert figures.resumed_from == 300
    assert figures.memory_gb == 11.700000000000001
    assert set(figures.step_parts) == {"data", "compute", "save", "other"}
    assert figures.step_parts["save"] == 4 * 2.4 / 600


def test_no_figure_is_invented():
    figures = progress(RunFacts("x"))

    assert figures.loss == []
    assert figures.step_parts == {}
    known = (figures.steps, figures.tokens, figures.seconds, figures.memory_gb, figures.throughput)
    assert known == (None,) * 5
