"""Choosing a precision, what out-of-memory errors say, and private functions of torch."""

import pytest
import torch

from core.device.choice import choose_dtype, out_of_memory
from core.transcript import Precision

CPU = torch.device("cpu")


def test_torch_still_says_whether_the_processor_multiplies_bfloat16():
    assert hasattr(torch.cpu, "get_capabilities") or hasattr(torch.cpu, "_is_amx_tile_supported")


def test_both_functions_of_torch_say_the_same():
    if hasattr(torch.cpu, "get_capabilities") and hasattr(torch.cpu, "_is_amx_tile_supported"):
        has_amx = bool(torch.cpu.get_capabilities().get("amx_tile"))
        assert has_amx == torch.cpu._is_amx_tile_supported()


def test_without_them_float32_is_chosen(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    monkeypatch.delattr(torch.cpu, "_is_amx_tile_supported", raising=False)
    assert choose_dtype(Precision.AUTO, CPU, 10) is torch.float32


@pytest.mark.parametrize(
    ("failure", "wanted"),
    [
        ("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity", "21 MB"),
        ("CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity", "2.7 GB"),
        ("can't allocate memory: you tried to allocate 3000000000 bytes. Error code 12", "3.0 GB"),
    ],
)
def test_memory_that_torch_wanted_is_shown_in_decimal_units(failure, wanted):
    assert wanted in str(out_of_memory(CPU, RuntimeError(failure)))
    assert " needed" in str(out_of_memory(CPU, RuntimeError(failure)))


def test_failure_without_a_size_says_only_what_is_free():
    said = str(out_of_memory(CPU, MemoryError()))
    assert "out of memory" in said
    assert "needed" not in said


def test_real_failure_of_the_processors_allocator_says_how_much_it_wanted():
    with pytest.raises(RuntimeError) as failure:
        torch.empty(2**58, dtype=torch.uint8)
    assert "288230376.2 GB needed" in str(out_of_memory(CPU, failure.value))
