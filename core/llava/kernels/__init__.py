"""Our own CUDA kernels for the layers of one model, compiled when it is loaded.

`shape` says what kernels are compiled for and which models and GPUs they support. `build` turns
the `.cu` sources of this folder into machine code with `nvrtc`, or finds it in the `cubin_cache`.
`launcher` loads it through the `driver`, and `launch` has each kernel as a method on torch tensors,
whose `arguments` are C's; `gemv` divides matrices among blocks, `square` says how a picture is
resized, and `scratch` is the memory of attention.

NVRTC comes with torch's CUDA wheels, so the user installs no compiler, header or file. Where it or
the GPU is not up to it, `core.llava.operations` does the same work with torch's own operations, a
little slower.
"""
