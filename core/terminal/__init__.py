"""The command line: `onlooker caption`, `onlooker models` and `onlooker bench`.

`main` parses arguments and captions single images, `batch` runs a folder, `models` lists and
downloads models, `bench` measures the speed. Nothing here imports Qt. `bench`
imports torch, the others only once a model is needed.
"""
