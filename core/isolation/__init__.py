"""Work that may hang, fill the memory or crash is done in a process of its own, and watched.

What somebody else wrote and nobody can bound beforehand is tried there: a chat template is a small
program, a tokenizer has regular expressions. `protocol` is what parent and child say to each other,
JSON lines over pipes; `process` starts, watches and ends the child; `child` is its entry. The child
is this program again, frozen or not. It cannot import torch, unless that is what is to be tried: so
it starts in a fraction of a second, and limits of its memory mean what they say.
"""
