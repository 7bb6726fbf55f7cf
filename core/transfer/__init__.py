"""What every download shares: progress, a worker that can be stopped, and the library for HTTP.

`meter` counts bytes and says how far a job is, `blocking` runs a coroutine until it is stopped,
`retrying` repeats requests, `together` downloads several files at a time, `unreachable` says why a
server gave nothing, and `network` finds the HTTP library that huggingface_hub brings.
"""
