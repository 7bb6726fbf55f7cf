"""Private functions of torch that are used with a fallback: these tests say when they are gone."""

import torch

from core.device.choice import choose_dtype
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
