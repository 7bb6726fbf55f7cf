"""Where on the picture words rest, for models that transformers' modules run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from torch import Tensor

from core.chat.inputs import ChatInputs
from core.chat.module_forward import ModuleForward
from core.generation.streaming import TextDecoder
from core.llava.decoding import DecodeLoop
from core.llava.evidence import GeneratedAnswer
from core.llava.forward import ForwardPass
from core.llava.passes import ImageInput, SlotForward
from core.llava.patch_grid import Canvas
from core.llava.word_maps import LayerMapExaminer, MapCollector, MapExaminer
from core.transcript import Request
from core.words import Word


def map_examiner(
    loop: DecodeLoop[SlotForward],
    decoder: TextDecoder,
    prepare: Callable[[Request], ChatInputs],
    plain_image: Callable[[Request], ImageInput],
    canvas: Callable[[Request, ChatInputs], Canvas],
) -> MapExaminer[SlotForward]:
    """Returns what examines the answers of `loop`, whichever way it runs the model."""
    more: Any = (decoder, prepare, plain_image, canvas)
    if isinstance(loop.forward, ModuleForward):
        return ModuleMapExaminer(cast("DecodeLoop[ModuleForward]", loop), *more)
    return LayerMapExaminer(cast("DecodeLoop[ForwardPass]", loop), *more)


class ModuleMapExaminer(MapExaminer[ModuleForward]):
    """Maps of attention alone: what the layers make of an image's positions is not read."""

    default_method = "attention"

    def _collected(self, generated: GeneratedAnswer, words: Sequence[Word]) -> MapCollector:
        forward = self._forward
        collector = MapCollector(generated, words, forward.layer_count, forward.device)

        def on_attention(layer: int, attention: Callable[[], Tensor]) -> None:
            if collector.wants_attention(layer):
                collector.on_attention(attention())

        # The last token predicts nothing that was generated.
        forward.note_attention(
            generated.positions[:-1], generated.inputs.image, len(generated.ids), on_attention
        )
        return collector
