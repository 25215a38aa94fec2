"""``python -m ketafind``: the command line."""

import sys

from ketafind.cli import main

sys.exit(main())
