"""``python -m milepost_agent``."""

import sys

from milepost_agent.cli import main

sys.exit(main())
