"""The same random numbers in each test, whichever tests ran before."""

import pytest
import torch


@pytest.fixture(autouse=True)
def _random_numbers():
    torch.manual_seed(0)
