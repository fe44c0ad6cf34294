"""The log on a disk that is full."""

from __future__ import annotations

import io

from milepost_server.logs import LossyFile


class FullDisk(io.StringIO):
    """A file that takes lines only while there is room."""

    has_room = False

    def write(self, text: str) -> int:
        if not self.has_room:
            raise OSError(28, "No space left on device")
        return super().write(text)


def test_lines_that_the_disk_refuses_are_counted_and_told() -> None:
    disk = FullDisk()
    log = LossyFile(disk)
    for _ in range(3):
        log.write("lost\n")
    assert log.lost == 3
    disk.has_room = True
    log.write("kept\n")
    log.write("kept too\n")
    assert disk.getvalue() == "3 writes to this log were lost before\nkept\nkept too\n"
