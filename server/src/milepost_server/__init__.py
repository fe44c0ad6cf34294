"""Milepost server."""

import os

# Before NumPy is imported, which reads it once. The matrices here are small: several threads wait for each
# other (spinning, so that other programs wait too) and add numbers up in another order on each machine.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
