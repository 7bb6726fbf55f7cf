"""The files that captions stand in, and the wording of captions. Nothing here imports torch.

- `formats` names the file formats; `naming` finds and names the files of an image.
- `sidecar` is the text file beside an image, `encoding` how its bytes are read. `xmp` reads and
  changes an XMP file, as a tree (`xmp_tree`) behind its wrapper (`xmp_packet`).
- `stamps` say whether a file is as it was.
- `folding` makes texts comparable whatever the case and encoding of their characters.
- `cells` are values in CSV files. `table` is a table with captions, changed row by row, and
  `open_tables` those in files, and which of their rows is an image's.
- `variables` fills prompts in, with what `metadata` reads from an image's EXIF, XMP and IPTC.
- `alt_text` has captions with parts; `check` says what an answer must be to become a caption.
- `wording` cleans captions up; `sentences` knows where a sentence ends.
"""
