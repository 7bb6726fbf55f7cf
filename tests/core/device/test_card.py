import pytest
import torch

from core.device.card import card_trouble, driver_trouble, kernel_trouble

BUILD = ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100a", "sm_120", "compute_120"]


@pytest.mark.parametrize("capability", [(7, 5), (8, 0), (8, 9), (9, 0), (10, 3), (12, 0), (13, 0)])
def test_a_card_that_the_build_has_kernels_for_is_no_trouble(capability):
    assert kernel_trouble("Card", capability, BUILD) is None


@pytest.mark.parametrize("capability", [(6, 1), (7, 0), (11, 0)])
def test_a_card_without_kernels_is_named_with_a_way_out(capability):
    trouble = kernel_trouble("GeForce GTX 1080", capability, BUILD)
    assert trouble is not None
    assert "GeForce GTX 1080" in trouble
    assert "Install a build" in trouble


def test_an_old_driver_is_distinguished_from_a_missing_one():
    said = "The NVIDIA driver on your system is too old (found version 11040)."
    old = driver_trouble(said, "13.0", has_card=True)
    missing = driver_trouble("", "13.0", has_card=True)
    assert old
    assert "too old for CUDA 13.0" in old
    assert missing
    assert "driver does not answer" in missing


def test_a_computer_without_a_card_has_no_trouble():
    assert driver_trouble("", "13.0", has_card=False) is None


@pytest.mark.skipif(torch.version.cuda is not None, reason="this PyTorch is built for cards")
def test_a_build_for_the_processor_has_no_trouble_with_cards():
    assert card_trouble() is None
