"""Login attempts: counted by pair, mail and address in a sliding window, in bounded memory."""

from __future__ import annotations

import pytest

from milepost_server.people.errors import TooManyAttemptsError
from milepost_server.people.throttle import ATTEMPTS_MAX, WINDOW_S, LoginThrottle, Scope

MAIL, HOME = "anna@north.example", "192.0.2.1"


def used_up(throttle: LoginThrottle, now_s: float = 0.0) -> None:
    for _ in range(ATTEMPTS_MAX[Scope.PAIR]):
        throttle.attempt(MAIL, HOME, now_s)


def test_one_attempt_too_many_says_how_long_to_wait() -> None:
    throttle = LoginThrottle()
    used_up(throttle)
    with pytest.raises(TooManyAttemptsError, match="Wait 15 minutes") as caught:
        throttle.attempt(MAIL, HOME, 1.0)
    assert caught.value.retry_after_s == WINDOW_S - 1


def test_the_window_slides() -> None:
    throttle = LoginThrottle()
    used_up(throttle)
    throttle.attempt(MAIL, HOME, WINDOW_S)


def test_refused_attempts_do_not_prolong_the_wait() -> None:
    throttle = LoginThrottle()
    used_up(throttle)
    for second in range(1, 60):
        with pytest.raises(TooManyAttemptsError):
            throttle.attempt(MAIL, HOME, float(second))
    throttle.attempt(MAIL, HOME, WINDOW_S)


def test_a_stranger_elsewhere_does_not_lock_the_person_out() -> None:
    throttle = LoginThrottle()
    used_up(throttle)
    throttle.attempt(MAIL, "198.51.100.7", 1.0)


def test_guessing_over_many_addresses_ends_at_the_limit_of_the_mail() -> None:
    throttle = LoginThrottle()
    for number in range(ATTEMPTS_MAX[Scope.MAIL]):
        throttle.attempt(MAIL, f"198.51.100.{number}", 0.0)
    with pytest.raises(TooManyAttemptsError):
        throttle.attempt(MAIL, HOME, 1.0)


def test_guessing_many_mails_ends_at_the_limit_of_the_address() -> None:
    throttle = LoginThrottle()
    for number in range(ATTEMPTS_MAX[Scope.ADDRESS]):
        throttle.attempt(f"user-{number}@north.example", HOME, 0.0)
    with pytest.raises(TooManyAttemptsError):
        throttle.attempt(MAIL, HOME, 1.0)


def test_a_right_password_forgives_the_pair() -> None:
    throttle = LoginThrottle()
    for _ in range(ATTEMPTS_MAX[Scope.PAIR] - 1):
        throttle.attempt(MAIL, HOME, 0.0)
    throttle.attempt(MAIL, HOME, 0.0)
    throttle.succeeded(MAIL, HOME)
    used_up(throttle, 1.0)


def test_capitals_and_spaces_make_no_other_mail() -> None:
    throttle = LoginThrottle()
    used_up(throttle)
    with pytest.raises(TooManyAttemptsError):
        throttle.attempt(f" {MAIL.upper()} ", HOME, 1.0)


def test_memory_is_bounded() -> None:
    throttle = LoginThrottle(keys_max=30)
    for number in range(1000):
        throttle.attempt(f"user-{number}@north.example", f"2001:db8::{number:x}", 0.0)
    assert throttle.keys == 30
