"""People: passwords, sessions, roles, and how often one may try to log in."""
