"""What the routes of all kinds of files share that a dealer gives."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated

from fastapi import Path

from milepost_server.api.answers import Answer, Items
from milepost_server.api.errors import InvalidError
from milepost_server.derivation import dealer_files
from milepost_server.errors import NotFoundError
from milepost_server.signals.errors import DataFileError, ScheduleError

if TYPE_CHECKING:
    from milepost_server.api.services import Services
    from milepost_server.derivation.dealer_files import FileKind
    from milepost_server.people.sessions import Principal

FileName = Annotated[str, Path(pattern=dealer_files.NAME_PATTERN, max_length=dealer_files.NAME_CHARS_MAX)]


class FileAnswer(Answer):
    """A file of the dealer's own, and who set it; null: at the command line.

    ``problem`` says why it no longer holds, where a new version of the product cannot use it any more.
    """

    name: str
    text: str
    version: str
    staff_name: str | None
    at: dt.datetime
    problem: str | None = None


async def every(parts: Services, who: Principal, files: FileKind) -> Items[FileAnswer]:
    """The dealer's files of that kind that hold, by name."""
    async with parts.store.read() as connection:
        found = await dealer_files.current(connection, who.dealer_id, files)
    answers = ((FileAnswer.model_validate(row), problem) for row, problem in found)
    return Items(items=[answer.model_copy(update={"problem": problem}) for answer, problem in answers])


async def one(parts: Services, who: Principal, files: FileKind, name: str) -> FileAnswer:
    """The dealer's file of that kind and name.

    Raises:
        NotFoundError: none of that name holds.
    """
    for answer in (await every(parts, who, files)).items:
        if answer.name == name:
            return answer
    raise NotFoundError(files.noun, name)


async def put(parts: Services, who: Principal, files: FileKind, name: str, text: str | None) -> None:
    """Set the dealer's file of that name, or (None) take it back.

    Raises:
        InvalidError: the text is no such file; the message says where it is wrong.
        NotFoundError: there is none to take back.
    """
    async with parts.store.write() as connection:
        try:
            await dealer_files.put(
                connection,
                who.dealer_id,
                files,
                name=name,
                text=text,
                staff_id=who.staff_id,
                now=parts.now(),
            )
        except (ScheduleError, DataFileError) as error:
            raise InvalidError(str(error), field="text") from error
