from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from fakes.telemetry import card, sealed
from torch.utils.data import DataLoader

from forgia_hpc.data.access.granting import make_grant
from forgia_hpc.data.layout import Split
from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.data.reader import open_dataset
from forgia_hpc.data.reading.adapter import WindowDataset
from forgia_hpc.data.writer import seal_consortium
from forgia_hpc.schema.data import Data

DATA = Data(context=48, min_context=8, horizon=16, channels=3)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    members = [sealed(root, "mill", 0), sealed(root, "forge", 1)]
    seal_consortium("valley", members, card("valley", members=["forge", "mill"]), root / "valley")
    return root / "valley"


@pytest.mark.parametrize("workers", [0, 2])
def test_a_dataloader_gives_what_the_reader_gives(directory: Path, workers: int) -> None:
    shared = set(Path("/dev/shm").iterdir())
    with open_dataset(directory) as dataset, WindowDataset(directory, Split.train, DATA) as adapter:
        index = dataset.windows(Split.train, DATA)
        assert len(adapter) == len(index)
        order = np.random.default_rng(0).permutation(len(adapter))[:70].tolist()
        loader = DataLoader(
            adapter,
            sampler=order,
            batch_size=16,
            num_workers=workers,
            collate_fn=WindowDataset.collate,
        )
        batches = list(loader)
        assert len(batches) == 5
        for number, batch in enumerate(batches):
            expected = index.gather(index.pairs(order[number * 16 : number * 16 + 16]))
            np.testing.assert_array_equal(batch["context"], expected.context)
            np.testing.assert_array_equal(batch["target"], expected.target)
            assert batch["group"].tolist() == expected.group.tolist()
    assert set(Path("/dev/shm").iterdir()) <= shared


def test_one_window_and_a_grant(directory: Path) -> None:
    grant = make_grant(load_manifest(directory), Data(dataset="valley"), splits=[Split.train])
    with WindowDataset(grant, Split.train, DATA) as adapter:
        one = adapter[len(adapter) - 1]
        assert one["context"].dtype == torch.float32
        assert set(one["group"].tolist()) == {0}
        with pytest.raises(IndexError):
            adapter[len(adapter)]


def test_what_is_pickled_holds_no_open_file(directory: Path) -> None:
    with WindowDataset(directory, Split.train, DATA) as adapter:
        expected = adapter[5]["context"]
        text = pickle.dumps(adapter)
    with pickle.loads(text) as copy:
        np.testing.assert_array_equal(copy[5]["context"], expected)
