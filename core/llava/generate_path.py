"""A LLaVA model run by transformers: its own modules, and `generate()` for what the decode loop
does not support (beams, and models distributed over several devices)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from transformers import GenerationConfig

from core.generation.banned_words import BannedWords
from core.generation.generate import stopping
from core.generation.sampling import FiniteScores, generation_config, logits_processors, seeded
from core.generation.streaming import PieceStreamer
from core.llava.prompt import Inputs
from core.llava.tokenizer import IMAGE_TOKEN_INDEX, Tokenizer
from core.transcript import Sampling


@dataclass(frozen=True, eq=False)
class EncodedImage:
    """The features of a picture: `features` are (1, patches, hidden), `tower_shape` is the shape
    of what the vision tower returned for them."""

    pixels: Image.Image
    tower_shape: tuple[int, ...]
    features: Tensor


class GeneratePath:
    """Answers with `generate()`. Keeps the features of the last picture for the next question."""

    def __init__(self, model: Any, tokenizer: Tokenizer):
        self._model, self._tokenizer = model, tokenizer
        self._encoded: EncodedImage | None = None
        # Each answer passes its own settings; a checkpoint's, with their padding and lengths,
        # must not count.
        model.generation_config = GenerationConfig()

    def forget_image(self) -> None:
        """Drops the features that were kept."""
        self._encoded = None

    def encode(self, pixels: Image.Image, inputs: Inputs) -> EncodedImage:
        """Returns the image features; those of the last picture are kept."""
        if self._encoded is not None and self._encoded.pixels is pixels:
            return self._encoded
        self._encoded = None
        model = self._model.model
        values = torch.from_numpy(inputs.pixel_values).to(self._model.device, self._model.dtype)
        layers = model.vision_tower(values, output_hidden_states=True).hidden_states
        patches = layers[self._model.config.vision_feature_layer][:, 1:]  # Without CLS.
        features = model.multi_modal_projector(patches)
        self._encoded = EncodedImage(pixels, tuple(patches.shape), features)
        return self._encoded

    def embed(self, inputs: Inputs, features: Tensor) -> Tensor:
        """Returns the prompt's embeddings, (1, positions, hidden), with the image spliced in.

        Not by an image token's id: LLaVA-1.5's vocabulary ends before it.
        """
        embed = self._model.get_input_embeddings()
        image = inputs.input_ids.index(IMAGE_TOKEN_INDEX)
        before, after = inputs.input_ids[:image], inputs.input_ids[image + 1 :]
        tensors = [torch.tensor([ids], device=self._model.device) for ids in (before, after)]
        return torch.cat([embed(tensors[0]), features, embed(tensors[1])], dim=1)

    def generate(
        self,
        pixels: Image.Image,
        inputs: Inputs,
        sampling: Sampling,
        seed: int | None,
        banned: BannedWords | None,
        streamer: PieceStreamer,
        is_over: Callable[[], bool],
    ) -> list[int]:
        """Returns the new ids, which may go on behind the end of the sequence."""
        finite = FiniteScores()
        with torch.inference_mode(), seeded(seed, self._model.device):
            embeddings = self.embed(inputs, self.encode(pixels, inputs).features)
            output = self._model.generate(
                inputs_embeds=embeddings,
                attention_mask=torch.ones(embeddings.shape[:2], device=embeddings.device).long(),
                generation_config=generation_config(
                    sampling,
                    max_new_tokens=inputs.max_new_tokens,
                    end_ids=[self._tokenizer.eos_token_id],
                    pad_id=self._tokenizer.pad_token_id,
                    begin_id=self._tokenizer.bos_token_id,
                ),
                logits_processor=logits_processors(sampling, banned, finite),
                stopping_criteria=stopping(is_over, finite),
                streamer=streamer if sampling.beams == 1 else None,
            )
        return output[0].tolist()
