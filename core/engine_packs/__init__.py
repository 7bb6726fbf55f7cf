"""Engine packs: PyTorch for a graphics card, fetched by the packaged program, which ships without.

A pack is a folder `<user data>/engines/<name>` with PyTorch for CUDA of the program's own version
and NVIDIA's libraries. `choice` decides at start which folder PyTorch is imported from, `archive`
lets it be imported, and `current` remembers it. `pins` reads which wheels make a pack, `driver`
asks which cards there are and what their driver can run, and `offer` says what to suggest.
`sources` reads pip's settings, `index` reads package indexes, `fetching` downloads (`refusals` says
why not), `unpacking` unpacks, `trial` tries a pack in a child process, and `get` does all of it in
order. `installed` lists and removes packs. Nothing here imports torch, except the trial's child.
Modules are imported by name: `choice` must stay cheap.
"""
