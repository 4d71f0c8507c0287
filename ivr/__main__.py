"""``python -m ivr``: the command line, also where no ``wegwijs`` script is installed."""

import sys

from ivr.commands.cli import main

if __name__ == "__main__":
    sys.exit(main())
