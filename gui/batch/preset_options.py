"""Presets as options of a run, and options as a preset."""

from __future__ import annotations

from dataclasses import replace

from core.batch import BatchOptions
from core.transcript import Sampling
from core.workspace import CaptionMode, Preset


def with_preset(options: BatchOptions, preset: Preset, usual: Sampling) -> BatchOptions:
    """Returns the options with what a preset sets; `usual` is how words are sampled otherwise.

    What the preset leaves to the person to fill in stays as it is filled in already.
    """
    asks_prefix = "prefix" in preset.asks_for and not preset.prefix
    asks_vocabulary = "vocabulary" in preset.asks_for and not preset.vocabulary
    temperature = usual.temperature if preset.temperature is None else preset.temperature
    return replace(
        options,
        prompts=preset.prompts,
        prefix=options.prefix if asks_prefix else preset.prefix,
        suffix=preset.suffix,
        beginning=preset.beginning,
        strips_openings=preset.strips_openings,
        ends_at_sentence=preset.ends_at_sentence,
        is_one_line=preset.is_one_line,
        drops_duplicates=preset.drops_duplicates,
        most_characters=preset.most_characters,
        vocabulary=options.vocabulary if asks_vocabulary else preset.vocabulary,
        has_keywords=preset.has_keywords,
        sampling=replace(options.sampling, temperature=temperature),
    )


def as_preset(name: str, options: BatchOptions, usual: Sampling, longest: int) -> Preset:
    """Returns what is to be kept of options under a name. `longest` is the number of tokens that an
    answer may have, 0 for that of the settings."""
    is_usual = options.sampling.temperature == usual.temperature
    has_tags = options.drops_duplicates or bool(options.vocabulary)
    return Preset(
        name,
        options.prompts,
        mode=CaptionMode.TAGS if has_tags else CaptionMode.TEXT,
        prefix=options.prefix,
        suffix=options.suffix,
        beginning=options.beginning,
        strips_openings=options.strips_openings,
        ends_at_sentence=options.ends_at_sentence,
        is_one_line=options.is_one_line,
        drops_duplicates=options.drops_duplicates,
        max_new_tokens=longest or None,
        temperature=None if is_usual else options.sampling.temperature,
        most_characters=options.most_characters,
        vocabulary=options.vocabulary,
        has_keywords=options.has_keywords,
    )
