"""A folder of images as a workspace: captions seen, searched, edited, reviewed and counted.

`data` is what all modules share. Nothing here imports torch.
"""
