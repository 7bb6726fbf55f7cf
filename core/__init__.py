"""The whole program without a window; nothing here imports Qt.

Packages from the bottom up, each importing only what stands before it:

`errors`, `words`           messages for people; the words of an answer
`eta`, `formatting`         remaining time; durations and sizes as text
`version`, `resources`      the program's version; the files that come with it
`files`                     files that are replaced in one step
`picture`                   a file becomes an upright RGB `Picture`
`transcript`                `Request`, `Answer`, `Transcript`: what is asked and answered, as data
`engine`                    the `Engine` protocol
`settings`, `store`, `device`
`batch`, `generation`       folder runs; what engines on `generate()` share
`llava`                     LLaVA-1.5 on our own decode loop
`checkpoint`                model folders: read, checked, loaded
`chat`, `hub`               other architectures; models from the Hugging Face hub
`open_engine`               a `ModelChoice` becomes an `Engine`
`terminal`                  the command line
"""
