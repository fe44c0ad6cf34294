"""One reply to one question of the plan: what it says, and what the plan should make of it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

from milepost_agent.errors import ReplyError
from milepost_agent.sources.obd.polling import Question

if TYPE_CHECKING:
    from milepost_agent.sources.obd.messages import Reply
    from milepost_agent.sources.obd.polling import PollPlan
    from milepost_protocol.signals import Value

Q = TypeVar("Q", bound=Question)


class Judgement(NamedTuple):
    """Signals and values of a reply; ``error`` says why an answer was not understood, "" where it was."""

    values: list[tuple[str, Value]]
    error: str = ""


def judge(plan: PollPlan[Q], question: Q, reply: Reply, asked_s: float, *, standing: bool) -> Judgement:
    """Read ``reply`` to ``question``, asked at ``asked_s``, and tell the plan how it went."""
    judgement = _read(question, reply)
    if judgement.values:
        plan.answered(question, asked_s, standing=standing)
    elif reply.refusals and not reply.messages:
        plan.refused(question, reply.refusals[0].code, asked_s, standing=standing)
    else:
        plan.unanswered(question, asked_s, standing=standing)
    return judgement


def _read(question: Question, reply: Reply) -> Judgement:
    if not reply.messages or (reply.garbled and question.needs_all):
        return Judgement([])
    try:
        return Judgement(question.decode(reply.messages))
    except ReplyError as error:
        return Judgement([], str(error))
