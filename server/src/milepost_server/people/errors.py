"""Everything that people/ raises.

::

    PeopleError
    +-- PasswordRefusedError    a new password that is too short or too long
    +-- LoginRefusedError       unknown mail or wrong password: the message is the same for both
    +-- TooManyAttemptsError    a login limit is reached; says when to try again
    +-- NotLoggedInError        no session, or one that is over or revoked
    +-- NotAllowedError         the role may not do this
"""

from __future__ import annotations


class PeopleError(Exception):
    """Base of all errors of this package; ``code`` is a stable word for the API."""

    code = "people"


class PasswordRefusedError(PeopleError):
    """A new password that breaks a rule; the message says which."""

    code = "password_refused"


class LoginRefusedError(PeopleError):
    """Unknown mail or wrong password; which of the two is never said."""

    code = "login_refused"

    def __init__(self) -> None:
        super().__init__("This mail address and password do not belong together. Check both and try again.")


class TooManyAttemptsError(PeopleError):
    """A login limit is reached."""

    code = "too_many_attempts"

    def __init__(self, retry_after_s: int) -> None:
        minutes = -(-retry_after_s // 60)
        unit = "minute" if minutes == 1 else "minutes"
        super().__init__(f"Too many attempts. Wait {minutes} {unit}, then try again.")
        self.retry_after_s = retry_after_s


class NotLoggedInError(PeopleError):
    """There is no session, or it is over, or it was revoked."""

    code = "not_logged_in"

    def __init__(self) -> None:
        super().__init__("Log in first: your session is missing, over or was ended.")


class NotAllowedError(PeopleError):
    """The role of this person may not do what was asked."""

    code = "not_allowed"

    def __init__(self, role: str, action: str) -> None:
        super().__init__(f"Your role, {role}, may not {action}. Ask a manager of your dealer.")
        self.role = role
        self.action = action
