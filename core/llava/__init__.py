"""LLaVA-1.5 on our own loop: exact prompts, prefill and decode steps over a static KV cache.

Read in the order the data moves: `prompt` makes input ids, `vision` encodes the image, `forward`
runs prefill and decode steps with the layers of `linear` (16-bit) or `quantized` (8 and 4 bits)
and the small `operations` between them; on a graphics card `kernels` replaces both, captured by
`cuda_graphs`. `decoding` fills slots with prompts and samples tokens; `generate_path` runs
transformers' own modules instead, where the loop cannot; `engine` is the Engine that answers with
either. `evidence` computes what each word rests on, and `tracing` makes the trace of one answer.
Imports torch; modules are imported by name.
"""
