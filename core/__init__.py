"""The whole program without a window, in the order the data moves.

A file becomes an upright RGB `Picture` (`picture`). What a person asks about it, with the turns
before and how words are to be chosen, is a `Request` (`transcript`). The request becomes the
exact input ids and pixel values of LLaVA-1.5 (`prompt`). A `model_folder` is understood, its
`weights` go to the `device`, and `checkpoint` opens the `engine`, which says its `Answer` piece
by piece: in the `decoding` loop over the `forward` pass, or by transformers' own `generate()`. The
pass has `operations` of torch's everywhere, and on a card our own `kernels`, launched as `graphs`.
Models of other architectures are a `chat_model` and its `chat_engine`, a LoRA is an `adapter`, and
what is too large for one device is `spread`; `fit` tells the memory before it is taken, and
`model_safety` what a folder must not do.
What each of its `words` rests on is looked for afterwards, as `evidence` and as `doubt`, and a
`question` asks whether the thing is there.
A `trace` tells what went through for an answer, and `model_view` what was given of its picture.
Models come from the `hub`; the `model_list` says which are here and what they need, and
`model_files` moves, checks and removes them.
`store` keeps the `Transcript`, `settings` the choices, and `terminal` is the client without a
window, which also runs the `bench`. A `batch` captions a whole folder from its `journal` and puts
each caption into a `sidecar`. `errors` holds the sentences for when it does not work out.
Nothing here knows of Qt.
"""
