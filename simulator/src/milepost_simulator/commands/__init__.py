"""The commands of ``milepost-sim``, one module each."""
