import pickle
import zipfile
from collections import Counter, OrderedDict

import pytest
import torch

from core.checkpoint.pickles import require_plain_pickle
from core.checkpoint.weights import open_shard
from core.errors import CheckpointError


@pytest.fixture
def saved(tmp_path):
    def save(content, **how):
        torch.save(content, tmp_path / "weights.bin", **how)
        return tmp_path / "weights.bin"

    return save


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.int64])
def test_weights_as_people_save_them_are_read(saved, dtype):
    shared = torch.ones(4, 4).to(dtype)
    whole = torch.arange(12).to(dtype)
    tensors = OrderedDict(a=shared, b=shared, c=whole[4:].view(2, 4), d=whole.view(3, 4).T)
    path = saved(tensors)
    require_plain_pickle(path)
    shard = open_shard(path)
    assert {name: shard.shape(name) for name in shard.names()} == {
        name: tuple(tensor.shape) for name, tensor in tensors.items()
    }
    assert torch.equal(shard.tensor("d"), tensors["d"])


def test_parameters_and_the_state_of_a_module_are_read(saved):
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    for content in (module.state_dict(), dict(module.named_parameters())):
        require_plain_pickle(saved(content))


@pytest.mark.parametrize(
    "content",
    [
        {"a": Counter("aab")},
        {"a": bytearray(3)},
        {"a": {1, 2}},
        {"a": torch.ones(3).to_sparse()},
        {"a": torch.ones(3, device="meta")},
    ],
    ids=["counter", "bytes", "set", "sparse", "meta"],
)
def test_what_is_more_than_dense_tensors_is_refused(saved, content):
    path = saved(content)
    with pytest.raises(ValueError, match="asks for"):
        require_plain_pickle(path)
    with pytest.raises(CheckpointError, match=r"weights\.bin.* damaged"):
        open_shard(path)


@pytest.mark.parametrize(
    "tensors",
    [
        {"a": torch.ones(1).expand(1000, 1000)},
        {str(number): shared for number, shared in enumerate([torch.ones(1000)] * 1000)},
    ],
    ids=["strides of 0", "one storage a thousand times"],
)
def test_tensors_that_claim_more_than_the_file_holds_are_refused(saved, tensors):
    with pytest.raises(CheckpointError, match="damaged"):
        open_shard(saved(tensors))


def test_other_protocol_and_two_pickles_are_refused(saved, tmp_path):
    with pytest.raises(ValueError, match="STACK_GLOBAL"):
        require_plain_pickle(saved({"a": torch.ones(3)}, pickle_protocol=4))
    path = tmp_path / "two.bin"
    with zipfile.ZipFile(path, "w") as archive:
        for folder in ("a", "b"):
            archive.writestr(f"{folder}/data.pkl", pickle.dumps({}, protocol=2))
    with pytest.raises(ValueError, match="no archive"):
        require_plain_pickle(path)


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x05\x06" + b"\xff" * 18, b"x" * 100_000])
def test_what_is_no_archive_is_refused(tmp_path, content):
    path = tmp_path / "weights.bin"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"no archive|bad|cannot|invalid|seek"):
        require_plain_pickle(path)
