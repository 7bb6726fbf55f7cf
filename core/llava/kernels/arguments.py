"""What kernels take, from torch's tensors and ours."""

from __future__ import annotations

import ctypes

from torch import Tensor

from core.device.float8 import RAW_UNIT
from core.llava.float8 import RawProduct
from core.llava.quantized_cache import LayerCache, QuantizedCache


def of_product(
    product: Tensor | RawProduct | None,
) -> tuple[Tensor | None, Tensor | None, Tensor | None, float]:
    """A product's values, the scales of its rows and of its columns, and their unit."""
    if isinstance(product, RawProduct):
        return product.values, product.row_scales, product.column_scales, 1 / RAW_UNIT
    return product, None, None, 1.0


def of_cache(cache: LayerCache) -> tuple[Tensor, Tensor | None]:
    """The values of a KV cache, and its scales if it has some."""
    if isinstance(cache, QuantizedCache):
        return cache.values, cache.scales
    return cache, None


def in_c(value: Tensor | int | float | None) -> ctypes._SimpleCData:
    """`value` as C's type: the address of a tensor, an int or a float."""
    if isinstance(value, Tensor):
        return ctypes.c_void_p(value.data_ptr())
    if value is None:
        return ctypes.c_void_p(None)
    return ctypes.c_int(value) if isinstance(value, int) else ctypes.c_float(value)
