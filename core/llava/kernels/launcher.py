"""Loads the machine code of kernels and launches them by name, in torch's current stream."""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

from core.llava.kernels.arguments import in_c
from core.llava.kernels.build import KernelBuild, kernel_names
from core.llava.kernels.driver import LaunchAttribute, LaunchConfig, cuda_driver


class Launcher:
    """The kernels of `build` on `device`. Raises DriverError if the code is not for it."""

    def __init__(self, build: KernelBuild, device: torch.device):
        self._device = torch.cuda.current_device() if device.index is None else device.index
        capability = torch.cuda.get_device_capability(device)
        self.multiprocessors = torch.cuda.get_device_properties(device).multi_processor_count
        self._driver = cuda_driver()
        self._functions: dict[str, ctypes.c_void_p] = {}
        with torch.cuda.device(self._device):
            torch.zeros(1, device="cuda")  # Makes torch's context current, which the driver needs.
            for source, names in kernel_names(build.shape, capability).items():
                self._functions |= self._driver.load(build.cubins[source], names)
        self._attribute = LaunchAttribute.programmatic_launch()
        self._config = LaunchConfig(
            attributes=ctypes.pointer(self._attribute),
            # Older GPUs do not support programmatic dependent launch.
            attribute_count=int(capability >= (9, 0)),
        )

    def launch(
        self,
        name: str,
        grid: tuple[int, int, int],
        threads: int,
        *arguments: Tensor | int | float | None,
    ) -> None:
        """Queues kernel `name` with `threads` threads a block. Raises DriverError."""
        values = [in_c(argument) for argument in arguments]
        pointers = (ctypes.c_void_p * len(values))(*map(ctypes.addressof, values))
        config = self._config
        config.grid[:] = grid
        config.block[0] = threads
        config.stream = torch.cuda.current_stream(self._device).cuda_stream
        driver = self._driver
        with torch.cuda.device(self._device):
            code = driver.launch(ctypes.byref(config), self._functions[name], pointers, None)
        if code:
            driver.check(code)
