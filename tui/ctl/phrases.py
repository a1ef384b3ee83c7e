"""Values of the cluster in words: pure, short, and the same everywhere."""

from typing import Any


def span(seconds: float) -> str:
    """A duration as ``0.4s``, ``12s``, ``4m05s``, ``3h20m``, ``2d04h``."""
    if seconds < 1:
        return f"{max(0.0, seconds):.1f}s"
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"


def amounts(profile: dict[str, Any] | None) -> str:
    """A profile as ``1 cpu, 512 MiB, 1 gpu``, without what is 0; null is ``any``."""
    if profile is None:
        return "any"
    extended: dict[str, float] = profile.get("extended") or {}
    parts = [
        (f"{profile.get('cpu_cores', 0):g}", "cpu"),
        (f"{profile.get('memory_mb', 0)}", "MiB"),
        *((f"{amount:g}", name) for name, amount in extended.items()),
    ]
    return ", ".join(f"{amount} {name}" for amount, name in parts if amount != "0") or "nothing"


def plural(number: int, noun: str) -> str:
    """``1 slot``, ``2 slots``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def waiting(explanation: dict[str, Any], waited_s: float, width: int) -> str:
    """One status line of less than ``width`` characters, from a cleaned Explanation."""
    parts = [f"waiting {span(waited_s)}"]
    if explanation.get("position"):
        parts.append(f"place {explanation['position']} in the queue")
    if explanation.get("reason"):
        parts.append(explanation["reason"])
    if explanation.get("deadline_in") is not None:
        parts.append(f"gives up in {span(explanation['deadline_in'])}")
    return cut("slotctl: " + "; ".join(parts), width - 1)


def cut(text: str, width: int) -> str:
    """``text`` in at most ``width`` (> 3) characters."""
    return text if len(text) <= width else text[: max(0, width - 3)] + "..."


def slot_variables(job_id: str, grant: dict[str, Any]) -> dict[str, str]:
    """The facts about a granted slot under the names that a command in a slot knows them by."""
    profile: dict[str, Any] = grant.get("profile") or {}
    extended: dict[str, float] = profile.get("extended") or {}
    facts = {
        "SLOT_JOB_ID": job_id,
        "SLOT_REQUEST_ID": grant["request_id"],
        "SLOT_ALLOCATION_ID": grant["allocation_id"],
        "SLOT_ID": grant["slot_id"],
        "SLOT_EXECUTOR": grant["resource_id"],
        "SLOT_HOST": grant["host"],
        "SLOT_INDEX": str(grant["slot_number"]),
        "SLOT_LOCALITY": grant["locality"],
    }
    if profile:
        facts["SLOT_CPUS"] = f"{profile.get('cpu_cores', 0):g}"
        facts["SLOT_MEMORY_MB"] = str(profile.get("memory_mb", 0))
    for name, amount in extended.items():
        facts["SLOT_RESOURCE_" + resource_variable(name)] = f"{amount:g}"
    return facts


def resource_variable(name: str) -> str:
    """A resource's name as part of an environment variable's: ``fast-disk`` -> ``FAST_DISK``."""
    return "".join(c if c.isalnum() and c.isascii() else "_" for c in name).upper()


def summary(welcome: dict[str, Any], snapshot: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The cluster in a few facts: ``value`` for programs, ``text`` (name: line) for people."""
    slots = [slot["state"] for slot in snapshot["slots"]]
    counts = {state.lower(): slots.count(state) for state in ("FREE", "PENDING", "ALLOCATED")}
    leader = next((x for x in snapshot["leaders"] if x["component"] == "resource_manager"), None)
    oldest = min((request["since"] for request in snapshot["requests"]), default=None)
    draining = sum(executor["state"] == "DRAINING" for executor in snapshot["executors"])
    value = {
        "server": welcome["server"],
        "cluster": welcome["cluster"],
        "daemon_id": welcome["daemon_id"],
        "roles": welcome["roles"],
        "seq": snapshot["seq"],
        "leader": leader,
        "executors": {"registered": len(snapshot["executors"]), "draining": draining},
        "slots": {"total": len(slots), **counts},
        "requests": len(snapshot["requests"]),
        "oldest_request_age": None if oldest is None else max(0.0, snapshot["at"] - oldest),
        "jobs": len(snapshot["jobs"]),
        "tasks": len(snapshot["tasks"]),
    }
    return {"value": value, "text": _summary_text(value, snapshot["at"])}


def _summary_text(value: dict[str, Any], at: float) -> dict[str, str]:
    leader, executors, slots = value["leader"], value["executors"], value["slots"]
    led = f"epoch {leader['epoch']} for {span(at - leader['since'])}" if leader else "none now"
    parts = [f"{slots[state]} {state}" for state in ("free", "pending", "allocated")]
    waits = f", the oldest for {span(value['oldest_request_age'])}" if value["requests"] else ""
    drains = f", {executors['draining']} draining" if executors["draining"] else ""
    return {
        "daemon": f"{value['server']}, cluster {value['cluster']}",
        "roles": ", ".join(value["roles"]),
        "leader": f"ResourceManager: {led}",
        "executors": f"{executors['registered']}{drains}",
        "slots": f"{slots['total']}: {', '.join(parts)}",
        "requests": f"{value['requests']} waiting{waits}",
        "jobs": str(value["jobs"]),
        "tasks": f"{value['tasks']} running",
    }


def explained(explanation: dict[str, Any]) -> list[str]:
    """A cleaned Explanation as lines of text."""
    from tui.ctl.tables import table

    facts = {
        "request": explanation["request_id"],
        "allocation": explanation.get("allocation_id"),
        "state": f"{explanation['state']} for {span(explanation['age'])}",
        "wants": amounts(explanation["profile"]),
        "reason": explanation["reason"],
        "place": explanation.get("position"),
        "nearest": explanation.get("nearest"),
    }
    if explanation.get("deadline_in") is not None:
        facts["gives up"] = f"in {span(explanation['deadline_in'])}"
    lines = [f"{name:<10} {fact}" for name, fact in facts.items() if fact is not None]
    listed: list[dict[str, Any]] = explanation.get("kinds") or []
    kinds = [
        (amounts(kind["profile"]), kind["slots"], kind["free"], _yes(kind["fits"]), kind["reason"])
        for kind in listed
    ]
    if kinds:
        lines += ["", *table(("SLOTS OF", "ALL", "FREE", "FITS", "WHY"), kinds)]
    return lines


def _yes(value: object) -> str:
    return "yes" if value else "no"
