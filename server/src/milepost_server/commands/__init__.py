"""The commands of ``milepost-server``, one module for each group of them."""
