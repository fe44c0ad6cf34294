"""Looking at a running agent: a status socket, and the service manager's notifications."""
