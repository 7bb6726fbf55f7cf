"""A folder of images as a workspace: captions seen, searched, edited, reviewed and counted.

- `data` is what all modules share.
- `tags` reads and changes the tags in a caption, and `bulk` has the edits of many captions at once.
- `fingerprints` recognises files by their content, `duplicates` finds equal and similar images.
- `move` moves images with their sidecars, `trash` moves them to the system's trash: first a plan,
  which a journal can keep, then its steps, which can be finished or taken back after a crash.

Nothing here imports torch.
"""
