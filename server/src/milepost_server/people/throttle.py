"""How often one may try to log in: pure, the time comes in as an argument.

The counts live in the memory of one process. That is enough here: a restart forgives at most one window,
and each process beside it allows one more window's worth of guesses.
"""

from __future__ import annotations

import enum
import math
from collections import OrderedDict, deque
from types import MappingProxyType

from milepost_server.people.errors import TooManyAttemptsError

WINDOW_S = 15 * 60
KEYS_MAX = 10_000


class Scope(enum.StrEnum):
    """What attempts are counted by."""

    PAIR = "mail and address"
    MAIL = "mail"
    ADDRESS = "address"


# The pair is stopped first: a stranger who guesses from elsewhere does not lock the person out.
ATTEMPTS_MAX = MappingProxyType({Scope.PAIR: 5, Scope.MAIL: 50, Scope.ADDRESS: 50})


class LoginThrottle:
    """Counts attempts in a sliding window, by mail, by address and by the pair of both."""

    def __init__(self, window_s: float = WINDOW_S, keys_max: int = KEYS_MAX) -> None:
        self._window_s = window_s
        self._keys_max = keys_max
        self._attempts: OrderedDict[tuple[Scope, str], deque[float]] = OrderedDict()

    @property
    def keys(self) -> int:
        """How many mails, addresses and pairs are remembered."""
        return len(self._attempts)

    def attempt(self, mail: str, address: str, now_s: float) -> None:
        """Count an attempt before its password is looked at, so that parallel guesses count too.

        Raises:
            TooManyAttemptsError: a limit is reached; this attempt was not counted.
        """
        keys = _keys(mail, address)
        wait_s = max(self._wait_s(scope, key, now_s) for scope, key in keys.items())
        if wait_s > 0:
            raise TooManyAttemptsError(math.ceil(wait_s))
        for scope, key in keys.items():
            self._attempts.setdefault((scope, key), deque()).append(now_s)
            self._attempts.move_to_end((scope, key))
        while len(self._attempts) > self._keys_max:
            self._attempts.popitem(last=False)

    def succeeded(self, mail: str, address: str) -> None:
        """Forget what was counted against this pair: its password was right."""
        for scope, key in _keys(mail, address).items():
            times = self._attempts.get((scope, key))
            if times is None:
                continue
            times.pop()
            if scope is Scope.PAIR or not times:
                del self._attempts[(scope, key)]

    def _wait_s(self, scope: Scope, key: str, now_s: float) -> float:
        times = self._attempts.get((scope, key))
        if times is None:
            return 0.0
        while times and times[0] <= now_s - self._window_s:
            times.popleft()
        if len(times) < ATTEMPTS_MAX[scope]:
            return 0.0
        return times[0] + self._window_s - now_s


def _keys(mail: str, address: str) -> dict[Scope, str]:
    mail = mail.strip().lower()
    return {Scope.PAIR: f"{mail} {address}", Scope.MAIL: mail, Scope.ADDRESS: address}
