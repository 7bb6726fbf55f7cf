"""Any other vision-language architecture, run by transformers.

`model` reads a folder without running code of the checkpoint: its `stored` tensors and its
`processor`. `loading` loads the weights, and `engine` answers through the processor, its chat
template and `generate()`, or by our own decode loop (`loop`) where the language model is like
LLaVA-1.5's; `text` is what becomes of the ids. Imports torch; modules are imported by name.
"""
