"""Commands that change something: `cancel`, `release`, `drain`, `revoke`, `call`."""

import json
import sys
from typing import Any, cast

from tui.ctl.exits import USAGE, Failure
from tui.ctl.find import reach
from tui.ctl.link import Link
from tui.ctl.output import Output
from tui.ctl.resolve import Thing, explain, resolve

SECONDS_MORE = 10.0
"""A call with a deadline of its own is answered by the daemon; this is added for the way."""


def cancel(values: dict[str, Any]) -> int:
    """Withdraw a request, end a task, or close a job."""
    link, _ = reach(values)
    with link:
        thing = resolve(link, values["id"], ("request", "task", "job"))
        if thing.kind == "request":
            return _told(values, thing, _release(link, thing), "released", "cancelled")
        if thing.kind == "task":
            result = link.call("task.cancel", {"task_id": thing.identifier})
            return _told(values, thing, result, "cancelled", "is being ended")
        result = link.call("job.close", {"job_id": thing.job_id})
        text = f"job {thing.job_id} closed; slots given back: {result['released']}"
        Output(values).answer(result, [text])
    return 0


def release(values: dict[str, Any]) -> int:
    """Give a slot back, or withdraw a request."""
    link, _ = reach(values)
    with link:
        thing = resolve(link, values["id"], ("request",))
        return _told(values, thing, _release(link, thing), "released", "released")


def _release(link: Link, thing: Thing) -> dict[str, Any]:
    request_id = explain(link, thing)["request_id"]
    params = {"job_id": thing.job_id, "request_id": request_id, "cause": "released by slotctl"}
    result: dict[str, Any] = link.call("slot.release", params)
    return result


def _told(values: dict[str, Any], thing: Thing, result: dict[str, Any], key: str, done: str) -> int:
    text = done if result[key] else "had ended already"
    Output(values).answer(result, [f"{thing.kind} {thing.identifier} {text}"])
    return 0


def drain(values: dict[str, Any]) -> int:
    """Give an executor no new slots, and wait until its last one is free."""
    params: dict[str, Any] = {"resource_id": values["executor"]}
    deadline = values.get("deadline")
    if deadline is not None:
        params["timeout"] = deadline
    link, _ = reach(values)
    with link:
        within = None if deadline is None else deadline + SECONDS_MORE
        result = link.call("executor.drain", params, within)
    Output(values).answer(result, [f"executor {values['executor']} is free and gets no new slots"])
    return 0


def revoke(values: dict[str, Any]) -> int:
    """Make the leader of a component step down."""
    link, _ = reach(values)
    with link:
        result = link.call("leader.revoke", {"component": values["component"]})
    text = f"the leader of {values['component']} stepped down; a new one is elected"
    Output(values).answer(result, [text])
    return 0


def call(values: dict[str, Any]) -> int:
    """Call any method; its result is printed as JSON."""
    params = _params(values.get("params", "{}"))
    link, _ = reach(values)
    with link:
        result = link.call(values["method"], params, None)
    Output(values).value(result)
    return 0


def _params(text: str) -> dict[str, Any]:
    try:
        params = json.loads(sys.stdin.read() if text == "-" else text)
    except ValueError as error:
        raise Failure(f"the parameters are not JSON: {error}", USAGE) from None
    if not isinstance(params, dict):
        raise Failure("the parameters must be a JSON object", USAGE)
    return cast("dict[str, Any]", params)
