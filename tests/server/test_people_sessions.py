"""Sessions: random tokens, hashes in the table, a sliding end with a last day, revocation, roles."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select, text

from milepost_server.people.errors import LoginRefusedError, NotAllowedError, NotLoggedInError
from milepost_server.people.logins import Logins
from milepost_server.people.roles import ROLE_MAY, Action, check_may
from milepost_server.people.sessions import (
    SESSION_AGE_MAX,
    SESSION_IDLE_MAX,
    SESSION_SLIDE_MIN,
    first_end,
    holds,
    new_token,
    slid_end,
    token_hash,
)
from milepost_server.store import dealers, sessions, staff
from milepost_server.store.engine import Store
from milepost_server.store.schema import Role
from milepost_server.store.schema import sessions as table
from support.showroom import NOW, PASSWORD, cheap_passwords

MAIL = "anna@north.example"
SECOND = dt.timedelta(seconds=1)


@pytest.fixture
async def logins(store: Store) -> Logins:
    async with store.write() as connection:
        dealer_id = await dealers.add(connection, name="North", timezone="UTC", now=NOW)
        hashed = await cheap_passwords().hash(PASSWORD)
        await staff.add(
            connection,
            dealer_id,
            email="Anna@North.example ",
            name="Anna",
            role=Role.SERVICE,
            password_hash=hashed,
            now=NOW,
        )
    return Logins(store, cheap_passwords())


async def log_in(logins: Logins, now: dt.datetime = NOW) -> str:
    token, _ = await logins.login(MAIL, PASSWORD, address="192.0.2.1", now=now)
    return token


def test_tokens_are_long_and_differ() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert min(len(token) for token in tokens) >= 43


def test_a_session_holds_until_its_end_and_no_longer() -> None:
    times = {"created_at": NOW, "expires_at": first_end(NOW), "revoked_at": None}
    assert holds(**times, now=NOW + SESSION_IDLE_MAX - SECOND)
    assert not holds(**times, now=NOW + SESSION_IDLE_MAX)
    assert not holds(**{**times, "revoked_at": NOW}, now=NOW)


def test_the_end_slides_seldom_and_never_beyond_the_last_day() -> None:
    end = first_end(NOW)
    assert slid_end(created_at=NOW, expires_at=end, now=NOW + SESSION_SLIDE_MIN - SECOND) is None
    assert slid_end(created_at=NOW, expires_at=end, now=NOW + SESSION_SLIDE_MIN) == end + SESSION_SLIDE_MIN
    late = NOW + SESSION_AGE_MAX - SECOND
    assert slid_end(created_at=NOW, expires_at=late, now=late) is None


async def test_the_table_holds_the_hash_and_not_the_token(logins: Logins, store: Store) -> None:
    token = await log_in(logins)
    async with store.read() as connection:
        everything = (await connection.execute(text("SELECT * FROM sessions"))).one()
        stored = (await connection.execute(text("SELECT token_hash FROM sessions"))).scalar_one()
    assert token not in map(str, everything)
    assert stored == token_hash(token)


async def test_a_session_says_who_and_for_which_dealer(logins: Logins) -> None:
    who = await logins.principal(await log_in(logins), NOW)
    assert (who.name, who.role, who.dealer_name) == ("Anna", Role.SERVICE, "North")


@pytest.mark.parametrize("token", [None, "", "nobody's"])
async def test_no_token_and_a_wrong_one_let_nobody_in(logins: Logins, token: str | None) -> None:
    with pytest.raises(NotLoggedInError):
        await logins.principal(token, NOW)


async def test_use_keeps_a_session_and_idleness_ends_it(logins: Logins) -> None:
    token = await log_in(logins)
    nearly = NOW + SESSION_IDLE_MAX - SECOND
    await logins.principal(token, nearly)
    await logins.principal(token, nearly + SESSION_IDLE_MAX - SECOND)
    with pytest.raises(NotLoggedInError):
        await logins.principal(token, nearly + 2 * SESSION_IDLE_MAX)


async def test_even_a_session_in_use_ends_after_its_last_day(logins: Logins) -> None:
    token = await log_in(logins)
    now = NOW
    while now < NOW + SESSION_AGE_MAX - SECOND:
        await logins.principal(token, now)
        now += SESSION_IDLE_MAX / 2
    with pytest.raises(NotLoggedInError):
        await logins.principal(token, NOW + SESSION_AGE_MAX)


async def test_logout_ends_this_session_alone(logins: Logins) -> None:
    first, second = await log_in(logins), await log_in(logins)
    await logins.logout(await logins.principal(first, NOW), NOW)
    with pytest.raises(NotLoggedInError):
        await logins.principal(first, NOW)
    assert (await logins.principal(second, NOW)).name == "Anna"


async def test_logout_everywhere_ends_all_of_them(logins: Logins) -> None:
    first, second = await log_in(logins), await log_in(logins)
    assert await logins.logout_everywhere(await logins.principal(first, NOW), NOW) == 2
    for token in (first, second):
        with pytest.raises(NotLoggedInError):
            await logins.principal(token, NOW)


async def test_a_disabled_person_is_out_at_once_and_stays_out(logins: Logins, store: Store) -> None:
    token = await log_in(logins)
    async with store.write() as connection:
        await connection.execute(text("UPDATE staff SET disabled_at = '2026-11-20 09:30:00.000000'"))
    with pytest.raises(NotLoggedInError):
        await logins.principal(token, NOW)
    with pytest.raises(LoginRefusedError):
        await log_in(logins)


async def test_unknown_mail_and_wrong_password_are_answered_alike(logins: Logins) -> None:
    messages = set()
    for mail, password in ((MAIL, "wrong password"), ("nobody@north.example", PASSWORD)):
        with pytest.raises(LoginRefusedError) as caught:
            await logins.login(mail, password, address="192.0.2.1", now=NOW)
        messages.add(str(caught.value))
    assert len(messages) == 1


async def test_ended_sessions_are_swept_away(logins: Logins, store: Store) -> None:
    await log_in(logins)
    token = await log_in(logins, NOW + SESSION_IDLE_MAX)
    async with store.write() as connection:
        assert await sessions.forget_ended(connection, NOW + SESSION_IDLE_MAX + SECOND) == 1
    async with store.read() as connection:
        query = select(table.c.token_hash).execution_options(across_dealers="a test looks at all")
        assert (await connection.execute(query)).scalars().all() == [token_hash(token)]


def test_every_role_is_in_the_table_and_a_manager_may_do_all() -> None:
    assert set(ROLE_MAY) == set(Role)
    assert ROLE_MAY[Role.MANAGER] == set(Action)


def test_a_refusal_names_role_and_action() -> None:
    with pytest.raises(NotAllowedError, match="Your role, sales, may not record a service"):
        check_may(Role.SALES, Action.RECORD_SERVICE)
