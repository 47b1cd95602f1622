import pytest

from forgia_hpc.errors import InputError
from forgia_hpc.models.names import MODELS, layout_problems
from forgia_hpc.models.table import resolve

OWN = """
class Mine:
    def __init__(self, options, *, context, horizon): ...
    def forward(self, context, target, group): ...
    def forecast(self, context, group, horizon): ...

class Deaf:
    def forward(self): ...
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "plant_models.py").write_text(OWN)
    (tmp_path / "plant_broken.py").write_text("import plant_library_nobody_has\n")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.parametrize("family", sorted(MODELS))
def test_every_family_of_the_table_resolves(family):
    assert callable(resolve(family))


def test_a_class_of_the_users_own_is_found_by_its_import_path(own):
    assert resolve("plant_models:Mine").__name__ == "Mine"


@pytest.mark.parametrize(
    ("family", "said"),
    [
        ("telemetri", "one of field, physicsnemo, telemetry, or 'module:Class'"),
        ("nowhere.at.all:Mine", "there is no module nowhere.at.all"),
        ("plant_models:Yours", "no class Yours"),
        ("plant_models:Deaf", "add forecast"),
    ],
)
def test_what_cannot_be_a_model_is_refused_with_a_way_out(own, family, said):
    with pytest.raises(InputError) as caught:
        resolve(family)
    assert said in str(caught.value)


def test_a_users_module_that_lacks_a_library_keeps_its_traceback(own):
    with pytest.raises(ModuleNotFoundError, match="plant_library_nobody_has"):
        resolve("plant_broken:Mine")


def test_a_dataset_that_has_nothing_for_a_family_is_told_with_one_that_reads_it():
    fields, telemetry = {"forgia.fields/1"}, {"forgia.telemetry/1"}
    assert not layout_problems("field", fields | telemetry, "both")
    assert not layout_problems("own:Model", fields, "mine")
    (problem,) = layout_problems("telemetry", fields, "plates")
    assert "family field" in problem.fix
    (problem,) = layout_problems("field", telemetry, "demo")
    assert "family telemetry" in problem.fix
