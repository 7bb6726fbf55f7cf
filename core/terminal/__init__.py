"""The command line: `onlooker caption`, `onlooker models` and `onlooker bench`.

`parser` has the arguments with their help, `options` parses them, and `main` runs what they ask
for: `caption` captions single images, `batch` runs a folder, `models` lists and downloads models,
`bench` measures the speed, and `written_command` writes the command for a run of the window. They
print through `output`, and `interrupt` ends them on Ctrl+C. Nothing here imports Qt. `bench`
imports torch, the others only once a model is needed.
"""
