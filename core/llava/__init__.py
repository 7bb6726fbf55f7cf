"""LLaVA-1.5 on our own loop: exact prompts, prefill and decode steps over a static KV cache.

Read in the order the data moves: `tokenizer` and `prompt` make input ids, `picture_resizer` makes
pixel values on a GPU, and `vision` encodes them.
`language_model` runs the layers, with the matrices of `linear` (16-bit) or `quantized` (8
and 4 bits, and FP8, for which `float8` rounds the activations) and the `operations` between them;
`prefill` and `decode_step` do so for a prompt and for one token per slot, over the `kv_cache`,
which `quantized_cache` keeps in 8 bits, and `forward` puts them together. On a GPU `kernels`
replace the operations, and `cuda_graphs` captures both, prompts as `captured_prefills` says.
`decoding` fills slots with prompts, as many as `fitting` says, `sampler` chooses tokens;
`generate_path` runs transformers' own modules instead, where the loop cannot; `engine` is the
Engine that answers with either. `evidence` computes what each word rests on, `word_maps` where on
the image, by the `patch_grid`s that its positions stand for, and `tracing` makes the trace of one
answer. Imports torch; modules are imported by name.
"""
