"""The uplink: stored samples to the server, until its receipts say that they are there."""
