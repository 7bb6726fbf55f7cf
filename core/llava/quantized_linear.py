"""Linear layers whose weights are quantized, in a model of transformers."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from core.llava.quantized import ROWS_AT_ONCE, QuantizedMatrix, multiply, reordered
from core.transcript import WeightFormat


class QuantizedLinear(nn.Module):
    """Replaces an `nn.Linear`; its weight has 8 or 4 bits or is in FP8.

    `forward` works on every device. Code that is fast on a GPU reads `quantized` itself.
    """

    bias: Tensor | None

    def __init__(self, quantized: QuantizedMatrix, bias: Tensor | None = None):
        super().__init__()
        self._quantized = quantized
        self.out_features, self.in_features = quantized.shape
        self.register_buffer("values", quantized.values)
        self.register_buffer("scales", quantized.scales)
        self.register_parameter(
            "bias", None if bias is None else nn.Parameter(bias, requires_grad=False)
        )

    @property
    def format(self) -> WeightFormat:
        """That of the weight."""
        return self._quantized.format

    @property
    def quantized(self) -> QuantizedMatrix:
        """The weight, also after the buffers were loaded or moved to another device."""
        values = self.get_buffer("values")
        if values is not self._quantized.values:
            scales = self.get_buffer("scales")
            self._quantized = replace(self._quantized, values=values, scales=scales)
        return self._quantized

    def reorder(self) -> None:
        """See `reorder_for_cpu`."""
        for part in self.quantized.blocks():
            part.values.copy_(reordered(part.values))
        self._quantized = replace(self.quantized, is_reordered=True)

    def forward(self, states: Tensor) -> Tensor:
        """(…, in) → (…, out), in the dtype of `states`."""
        return multiply(states, self.quantized, self.bias)

    def extra_repr(self) -> str:
        """What torch shows of the module in its `repr`."""
        kind = self._quantized.format
        return f"in_features={self.in_features}, out_features={self.out_features}, format={kind}"


def formats_of(model: nn.Module, kind: WeightFormat) -> dict[str, WeightFormat]:
    """The format of each weight of `model` that is to be quantized, by its name.

    These are all matrices of the language model's layers, and the output head, which keeps
    integers of 8 bits since it decides between tokens. Embeddings are looked up, not multiplied
    by, and stay as they are.
    """
    chosen = {
        f"{name}.weight": kind
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and "language_model.layers." in name
    }
    return chosen | ({"lm_head.weight": WeightFormat.INT8} if chosen else {})


def reorder_for_cpu(model: nn.Module) -> None:
    """Reorders the 4-bit weights of a model on a CPU in place, as torch's kernel reads them.

    In place, so that views of a joined matrix stay views. Without it the first answer would make a
    copy, and 4 bits would need the memory of 8. Small models with matrices whose rows are no
    multiple of 64 are left as they are.
    """
    quantized = [module for module in model.modules() if isinstance(module, QuantizedLinear)]
    linears = [linear for linear in quantized if linear.format is WeightFormat.INT4]
    if all(m.values.device.type == "cpu" and m.out_features % ROWS_AT_ONCE == 0 for m in linears):
        for linear in linears:
            linear.reorder()
