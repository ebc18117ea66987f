"""`python -m hermes_hardened_adapters`: the operator's commands without the `hermes` command."""

import sys

from hermes_hardened_adapters.cli.main import main

sys.exit(main(sys.argv[1:]))
