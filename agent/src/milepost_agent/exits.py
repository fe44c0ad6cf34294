"""How the agent's processes end: exit statuses, and one line that says what to do."""

from __future__ import annotations

import sys
from typing import Final

from milepost_agent.errors import AgentError, ConfigError, SourceConfigError

EXIT_ERROR: Final = 1
EXIT_CONFIG: Final = 2
"""A person has to mend the configuration first: the service manager does not try again."""


def explain(error: AgentError) -> int:
    """Say ``error`` on standard error; returns the exit status."""
    print(f"milepost-agent: {error}", file=sys.stderr)
    return EXIT_CONFIG if isinstance(error, ConfigError | SourceConfigError) else EXIT_ERROR
