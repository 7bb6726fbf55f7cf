"""The report of a benchmark as a table."""

from __future__ import annotations

from typing import Any


def table(report: dict[str, Any]) -> str:
    """The report for a person to read."""
    machine, model, limits = report["machine"], report["model"], report["limits"]
    ours, theirs, used = report["loop"], report["generate"], report["cards"]["used"]
    lines = [
        f"{machine['device_name']}, {machine['threads']} threads, torch {machine['torch']}, "
        f"transformers {machine['transformers']}",
        f"{model['model']}, {model['dtype']} on {model['device']}; loaded in "
        f"{report['load_seconds']:.1f} s; prompt of {ours['prompt_tokens']} tokens; "
        f"{used} graphics card{'' if used == 1 else 's'} used",
        f"a copy moves {limits['copy_bytes_per_second'] / 1e9:.0f} GB/s, one row times a matrix "
        f"reads {limits['gemv_bytes_per_second'] / 1e9:.0f} GB/s; decoding reads "
        f"{100 * ours['share_of_gemv']:.0f}% of that",
        "",
        f"{'':34}{'Onlooker':>12}{'generate()':>12}{'ratio':>8}",
    ]

    def row(name: str, mine: float, other: float | None, digits: int, inverse: bool) -> None:
        ratio = "" if not other else f"{(other / mine if inverse else mine / other):.2f}"
        second = "" if other is None else f"{other:.{digits}f}"
        lines.append(f"{name:34}{mine:>12.{digits}f}{second:>12}{ratio:>8}")

    row("tokens per second", ours["tokens_per_second"], theirs["tokens_per_second"], 1, False)
    for key, name in (
        ("seconds_to_first_token", "ms to first token, new image"),
        ("follow_up_seconds_to_first_token", "ms to first token, follow-up"),
    ):
        row(name, 1e3 * ours[key], 1e3 * theirs[key], 1, True)
    for slots, rate in ours["captions_per_second"].items():
        other = theirs["captions_per_second"].get(slots)
        row(f"captions per second, {slots} at once", rate, other, 2, False)
    cards = report["cards"]
    if "captions_per_second" in cards:
        name = f"… on {cards['used']} cards, {cards['slots']} on each"
        row(name, cards["captions_per_second"], None, 2, False)
    row("first answer's time by the last's", ours["first_answer_ratio"], None, 2, False)
    row("peak memory in GB", ours["peak_memory_bytes"] / 1e9, None, 2, False)
    for precision, figures in report["other_precisions"].items():
        lines.append("")
        row(f"{precision}: tokens per second", figures["tokens_per_second"], None, 1, False)
        for key, name in (
            ("seconds_to_first_token", "ms to first token, new image"),
            ("follow_up_seconds_to_first_token", "ms to first token, follow-up"),
        ):
            row(f"  {name}", 1e3 * figures[key], None, 1, False)
        for slots, rate in figures["captions_per_second"].items():
            row(f"  captions per second, {slots} at once", rate, None, 2, False)
        row("  peak memory in GB", figures["peak_memory_bytes"] / 1e9, None, 2, False)
    return "\n".join(lines)
