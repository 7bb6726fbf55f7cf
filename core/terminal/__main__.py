"""`python -m core.terminal`: the command line without the window."""

import sys

from core.terminal.main import main

sys.exit(main(sys.argv[1:]))
