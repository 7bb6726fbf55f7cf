"""What every download shares: progress, a worker that can be stopped, and the library for HTTP.

`meter` counts bytes and says how far a job is, `blocking` runs a coroutine until it is stopped,
`retrying` repeats requests, and `network` finds the HTTP library that huggingface_hub brings.
"""
