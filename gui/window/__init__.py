"""The main window, its status line, the settings and the help."""
