"""Runs one command in a slot of slotd: the JobMaster of a job of its own, in plain Python.

    python3 docs/examples/job_master_script.py ~/.local/state/slotd echo hello

Each message is a line of JSON. docs/scripting.md explains this file, docs/protocol.md the methods.
"""

import asyncio
import contextlib
import hmac
import itertools
import json
import pathlib
import secrets
import sys

LINE_BYTES = 1 << 20
BEATS = {"heartbeat_interval": 10, "heartbeat_timeout": 50}  # seconds
PROFILE = {"cpu_cores": 1, "memory_mb": 0}


class GivenUp(Exception):
    """No command will run; why, in a sentence."""


class Connection:
    """Lines of JSON, both ways: we call, and ``serve`` answers what the other end calls."""

    def __init__(self, reader, writer, serve):
        self.reader, self.writer, self.serve = reader, writer, serve
        self.ids, self.answers = itertools.count(1), {}

    def send(self, **message):
        self.writer.write(json.dumps(message).encode() + b"\n")

    async def call(self, method, **params):
        """Ask and wait for the answer. LookupError: nobody leads there now."""
        key = next(self.ids)
        self.answers[key] = asyncio.get_running_loop().create_future()
        self.send(id=key, method=method, params=params)
        answer = await self.answers[key]
        if error := answer.get("error"):
            is_later = error["data"]["type"] in {"NotLeader", "LeaderIdMismatch"}
            raise (LookupError if is_later else GivenUp)(error["message"])
        return answer["result"]

    async def listen(self):
        async for line in self.reader:
            message = json.loads(line)
            if "method" not in message:
                self.answers.pop(message["id"]).set_result(message)
                continue
            result = self.serve(self, message["method"], message["params"])
            if "id" in message:
                self.send(id=message["id"], result=result)


class JobMaster:
    """Leads a job that slotd did not open: nobody is elected, who registers last leads it."""

    def __init__(self, token, tasks):
        self.token, self.tasks = token, tasks
        self.leader_id, self.job_id, self.task_id = (secrets.token_hex(16) for _ in range(3))
        self.slot = {"allocation_id": secrets.token_hex(16), "slot_number": None}
        self.address = self.slotd = self.executor = self.end = None
        self.is_offered, self.has_ended = asyncio.Event(), asyncio.Event()

    async def register(self):
        """Be known to the ResourceManager that leads, and ask it for the slot."""
        with contextlib.suppress(LookupError):  # an event will say who leads next
            leader_id = (await self.slotd.call("resource_manager.leader"))["leader_id"]
            me = {"leader_id": leader_id, "job_id": self.job_id, "job_master_id": self.leader_id}
            method = "resource_manager.register_job_master"
            await self.slotd.call(method, **me, address="connection")
            if not self.is_offered.is_set():
                ask = {"allocation_id": self.slot["allocation_id"], "profile": PROFILE}
                where = {"target_address": self.address}  # whoever gives the slot dials this
                await self.slotd.call("resource_manager.request_slot", **me, **ask, **where)

    async def be_dialled(self, reader, writer):
        """An executor with a slot for us comes, says hello with the token, and is served."""
        hello = json.loads(await reader.readline())
        if hmac.compare_digest(hello["params"].get("token") or "", self.token):
            executor = Connection(reader, writer, self.serve)
            about = {"server": "job_master_script/1", "daemon_id": self.leader_id}
            more = {"cluster": "slotd", "roles": ["job-master"], "max_line_bytes": LINE_BYTES}
            welcome = {"protocol": 1, "heartbeat_interval": BEATS["heartbeat_interval"]}
            executor.send(id=hello["id"], result={**welcome, **about, **more})
            await executor.listen()
        writer.close()

    def serve(self, connection, method, params):
        """What executors and the ResourceManager ask us and tell us."""
        match method:
            case "job_master.leader":
                return {"leader_id": self.leader_id, "address": self.address}
            case "job_master.register_task_executor":
                return BEATS
            case "job_master.offer_slots":
                return {"accepted": self.take(connection, params["slots"])}
            case "job_master.task_output":
                text = params.get("data", "(bytes that are no text)\n")
                print(text, end="", flush=True, file=getattr(sys, params["stream"]))
            case "job_master.task_finished":
                self.end = params
                self.has_ended.set()
            case "job_master.notify_allocation_failure":
                raise GivenUp(params["cause"])
            case "event" if params["component"] == "resource_manager":
                self.tasks.create_task(self.register())
        return {}  # a heartbeat wants no more

    def take(self, executor, offers):
        """Accept the one slot that was asked for."""
        mine = [offer for offer in offers if offer["allocation_id"] == self.slot["allocation_id"]]
        for offer in mine:
            self.executor, self.slot["slot_number"] = executor, offer["slot_number"]
            self.is_offered.set()
        return [offer["allocation_id"] for offer in mine]

    async def beat(self):
        """An executor takes its slots back from a JobMaster that is silent for too long."""
        me = {"from": f"job_master/{self.job_id}", "allocated": [self.slot]}
        while True:
            await self.executor.call("task_executor.heartbeat", **me)
            await asyncio.sleep(BEATS["heartbeat_interval"])

    async def run(self, command):
        """Run a command in the slot, then give the slot back; the exit code."""
        await self.is_offered.wait()
        beats = self.tasks.create_task(self.beat())
        task = {"task_id": self.task_id, "command": command, "job_id": self.job_id}
        fence = {"leader_id": self.leader_id, "allocation_id": self.slot["allocation_id"]}
        await self.executor.call("task_executor.submit_task", **task, **fence)
        await self.has_ended.wait()
        beats.cancel()
        slot = {"allocation_id": self.slot["allocation_id"], "cause": "the command has ended"}
        await self.executor.call("task_executor.free_slot", **slot)
        code = self.end.get("exit_code")
        return code if code is not None else 128 + self.end["signal"]


async def main(access, command):
    async with asyncio.TaskGroup() as tasks:
        job = JobMaster(access["token"], tasks)

        def dialled(reader, writer):
            tasks.create_task(job.be_dialled(reader, writer))

        server = await asyncio.start_server(dialled, "127.0.0.1", 0, limit=LINE_BYTES)
        job.address = "{}:{}".format(*server.sockets[0].getsockname())
        host, port = access["address"].rsplit(":", 1)
        stream = await asyncio.open_connection(host, port, limit=LINE_BYTES)
        job.slotd = Connection(*stream, job.serve)

        async def stay_connected():
            await job.slotd.listen()
            raise GivenUp("slotd hung up")

        connected = tasks.create_task(stay_connected())
        hello = {"protocol": 1, "client": "job_master_script/1", "token": access["token"]}
        await job.slotd.call("hello", **hello)
        await job.slotd.call("events.subscribe", types=["leader_granted"])
        await job.register()
        exit_code = await job.run(command)
        connected.cancel()
        server.close()
    return exit_code


if __name__ == "__main__":
    text = pathlib.Path(sys.argv[1], "access.json").read_text()
    try:
        code = asyncio.run(main(json.loads(text), sys.argv[2:]))
    except* GivenUp as problem:
        code = str(problem.exceptions[0])
    sys.exit(code)
