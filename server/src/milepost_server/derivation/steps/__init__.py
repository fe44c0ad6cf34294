"""From the arrays of a chunk to its results, by `milepost_server.signals`: no I/O. `whole` is all of it."""
