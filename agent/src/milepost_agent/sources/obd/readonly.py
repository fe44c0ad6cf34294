"""What may be asked of a car: services that read, and nothing else. Every request passes here. Pure.

=======  ==========================================================  ==========
service  reads                                                       bytes
=======  ==========================================================  ==========
01       current data (SAE J1979), one PID at a time                  2
03       stored trouble codes                                        1
07       pending trouble codes                                       1
09       vehicle information: the VIN                                2
0A       permanent trouble codes                                     1
19       trouble codes by status mask, extended data (ISO 14229-1)   3, 6
22       data by identifier, one at a time                           3
=======  ==========================================================  ==========

Not among them, and so never sent: 04 and 14 (clear codes), 08 and 2F (control), 10 (sessions), 11 (reset),
27 (security), 28 and 85 (silence the bus), 2E and 3D (write), 31 (routines), 34 to 37 (flash), 3E.
"""

from __future__ import annotations

from typing import Final

from milepost_agent.errors import ReadOnlyError

LENGTHS: Final = {
    0x01: frozenset({2}),
    0x03: frozenset({1}),
    0x07: frozenset({1}),
    0x09: frozenset({2}),
    0x0A: frozenset({1}),
    0x19: frozenset({3, 6}),
    0x22: frozenset({3}),
}
"""Lengths of a request, by service."""
TROUBLE_CODES_SERVICE: Final = 0x19
BY_STATUS_MASK: Final = 0x02
EXTENDED_DATA: Final = 0x06
LENGTH_OF_SUBFUNCTION: Final = {BY_STATUS_MASK: 3, EXTENDED_DATA: 6}


def check_request(request: bytes) -> bytes:
    """``request``, from its service on, if it only reads.

    Raises:
        ReadOnlyError: it might do more; nothing was sent.
    """
    if len(request) not in LENGTHS.get(request[0] if request else -1, ()):
        raise ReadOnlyError(request.hex(), "is no request that only reads")
    is_codes = request[0] == TROUBLE_CODES_SERVICE
    if is_codes and LENGTH_OF_SUBFUNCTION.get(request[1]) != len(request):
        raise ReadOnlyError(request.hex(), "is no report of trouble codes that the agent knows")
    return request
