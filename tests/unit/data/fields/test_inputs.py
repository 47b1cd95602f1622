"""What a model of fields is given: boundaries of each contribution, times, masks, scales."""

from dataclasses import replace

import numpy as np
import pytest
from fakes.simulated import field_card, simulated

from forgia_hpc.data.fields.inputs import FieldInputs, cutting_of, shape_of
from forgia_hpc.data.fields.opened import OpenFields
from forgia_hpc.data.fields.reader import open_fields
from forgia_hpc.data.fields.windows import FieldWindows
from forgia_hpc.data.fields.writer import seal_fields
from forgia_hpc.data.layout import Split
from forgia_hpc.errors import InputError
from forgia_hpc.schema.data import Data

DATA = Data(steps_in=2, steps_out=1, fields=["temperature"])


def sealed(folder, name, **changes):
    given = simulated(5, 8, members=3, held_out=0)
    schema = replace(given.schema, **changes)
    seal_fields(replace(given, name=name, schema=schema), field_card(name), folder / name)
    return folder / name


def windows(*folders):
    sources: list[OpenFields] = []
    for folder in folders:
        sources += open_fields(folder).sources
    return FieldWindows(sources, Split.train, cutting_of(DATA))


def test_contributions_keep_their_own_boundaries(tmp_path):
    first = sealed(tmp_path, "first")
    boundaries = simulated(5, 8).schema.boundaries
    other = replace(boundaries[0], law="radiation", side="low", parameters=("ambient",))
    both = windows(first, sealed(tmp_path, "other", boundaries=(other,)))
    shape = shape_of(both)
    assert (shape.laws, shape.ragged, shape.masked) == (("convection", "radiation"), True, True)
    found = FieldInputs(both, shape).of(both.gather([(1, 0), (0, 0)]))
    assert found["boundaries"].shape == (2, 2, 5)
    assert found["boundaries"][0].tolist() == [[0, 0, 1, 1, 0], [-1] * 5]
    assert (found["boundaries"][1, :, 0] >= 0).all()
    alone = FieldInputs(both, shape).of(both.gather([(1, 0)]))
    assert alone["boundaries"].shape == (1, 1, 5)


def test_a_law_that_the_model_has_never_met_is_none(tmp_path):
    first = windows(sealed(tmp_path, "first"))
    shape = replace(shape_of(first), laws=("radiation",))
    found = FieldInputs(first, shape).of(first.gather([(0, 0)]))
    assert (found["boundaries"][..., 3] == -1).all()


def test_times_count_from_the_first_step_and_the_mask_is_the_bodys(tmp_path):
    first = windows(sealed(tmp_path, "first"))
    batch = first.gather([(0, 1)])
    found = FieldInputs(first, shape_of(first)).of(batch)
    np.testing.assert_allclose(found["times"], [[0.0, 0.5, 1.0]])
    assert 0 < found["mask"].mean() < 1
    assert found["times"].dtype == found["signals"].dtype == np.float32


def test_scales_are_those_of_the_granted_train_split(tmp_path):
    shape = shape_of(windows(sealed(tmp_path, "first")))
    assert shape.channels == ("temperature",)
    assert shape.static == ("conductivity",)
    assert shape.parameter_values.logs == (False, False)
    assert shape.parameter_values.mean[0] == pytest.approx(294.0)
    assert len(shape.signal_values.std) == 1


def test_a_model_of_other_parameters_is_refused(tmp_path):
    first = windows(sealed(tmp_path, "first"))
    shape = replace(shape_of(first), parameters=("ambient",), stride=2)
    with pytest.raises(InputError) as caught:
        FieldInputs(first, shape)
    assert {one.field for one in caught.value.problems} == {"data.parameters", "data.stride"}


def test_windows_know_their_shard_and_how_many_channels_they_hold(tmp_path):
    first = windows(sealed(tmp_path, "first"))
    shards, series = first.homes(0, np.array([0, 5, 11]))
    assert (shards.tolist(), series.tolist()) == ([0, 0, 0], [1, 1, 1])
