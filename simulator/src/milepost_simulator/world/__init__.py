"""A world in one process: real agents, a broker and a server in virtual time, repeatable by seed."""
