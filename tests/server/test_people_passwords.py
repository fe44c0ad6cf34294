"""Passwords: hashed with their own salt, refused when too short, verified in the same time for nobody."""

from __future__ import annotations

import pytest

from milepost_server.people.errors import PasswordRefusedError
from milepost_server.people.passwords import PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, Passwords
from support.showroom import cheap_passwords

GOOD = "four calls before ten"


async def test_a_password_matches_its_hash_and_no_other() -> None:
    passwords = cheap_passwords()
    stored = await passwords.hash(GOOD)
    assert GOOD not in stored
    assert await passwords.verify(GOOD, stored)
    assert not await passwords.verify(f"{GOOD}!", stored)


async def test_each_hash_has_its_own_salt() -> None:
    passwords = cheap_passwords()
    assert await passwords.hash(GOOD) != await passwords.hash(GOOD)


async def test_the_real_parameters_are_argon2id() -> None:
    assert (await Passwords().hash(GOOD)).startswith("$argon2id$v=19$m=65536,t=3,")


@pytest.mark.parametrize("length", [0, PASSWORD_CHARS_MIN - 1, PASSWORD_CHARS_MAX + 1])
async def test_a_password_of_a_bad_length_is_refused_with_the_reason(length: int) -> None:
    with pytest.raises(PasswordRefusedError, match="has at"):
        await cheap_passwords().hash("x" * length)


async def test_nobody_has_a_password() -> None:
    assert not await cheap_passwords().verify(GOOD, None)


async def test_a_huge_password_is_wrong_without_being_hashed() -> None:
    passwords = cheap_passwords()
    assert not await passwords.verify("x" * 10_000_000, await passwords.hash(GOOD))
