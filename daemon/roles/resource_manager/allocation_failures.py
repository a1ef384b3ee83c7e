"""How the error of a given-up allocation travels from the ResourceManager to the job's clients."""

from daemon.core.effects import TellJobAllocationFailed
from protocol.errors import ERRORS_BY_CODE, NoResourceAvailable, SlotdError
from protocol.ids import LeaderId
from protocol.messages.job_master import NotifyAllocationFailure

_BY_NAME = {error.__name__: error for error in ERRORS_BY_CODE.values()}


def notice_of(effect: TellJobAllocationFailed, job_master_id: LeaderId) -> NotifyAllocationFailure:
    """What the JobMaster is told; ``error_of`` makes the same error of it there."""
    return NotifyAllocationFailure(
        leader_id=job_master_id,
        job_id=effect.job_id,
        allocation_id=effect.allocation_id,
        cause=effect.error.message,
        error=type(effect.error).__name__,
        nearest=effect.error.data.get("nearest"),
    )


def error_of(notice: NotifyAllocationFailure) -> SlotdError:
    """The error that a client is answered with.

    One that is not named, or unknown here, is NoResourceAvailable; that one always has
    ``data.nearest``, as when the ResourceManager refuses at once.
    """
    error = _BY_NAME.get(notice.error or "", NoResourceAvailable)
    if error is NoResourceAvailable:
        return NoResourceAvailable(notice.cause, nearest=notice.nearest)
    return error(notice.cause)
