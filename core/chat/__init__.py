"""Any other vision-language architecture, run by transformers.

`model` reads a folder without running code of the checkpoint: its `stored` tensors and its
`processor`. `loading` loads the weights, and `engine` answers: `preparing` makes tensors of a
request by the processor and its chat template (of images `ahead`, in a folder run's threads), and
our decode loop (`loop`) runs them, through our own layers where the language model is like
LLaVA-1.5's, and else through transformers' modules (`module_forward`, with the `slot_cache`).
`generate_path` is transformers' `generate()`, for what the loop cannot run; `text` is what becomes
of the ids. `word_maps` shows where on an image words rest: `patches` says where each of its
positions lies, or by `resampler` of which patches it is made, and `attention` reads that of
transformers' modules. Imports torch; modules are imported by name.
"""
