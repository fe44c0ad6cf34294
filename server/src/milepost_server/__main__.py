"""``python -m milepost_server``, the same as ``milepost-server``."""

from milepost_server.cli import main

if __name__ == "__main__":
    main()
