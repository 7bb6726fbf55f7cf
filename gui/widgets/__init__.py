"""Small widgets and the theme; they know nothing of the program.

`theme` has the colours, fonts and icons, in light and dark.
"""
