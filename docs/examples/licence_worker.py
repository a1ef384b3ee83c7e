"""Lends out licence tokens as slots of slotd: a TaskExecutor in plain Python, over one connection.

    python3 docs/examples/licence_worker.py ~/.local/state/slotd licences 3

Each message is a line of JSON. docs/scripting.md explains this file, docs/protocol.md the methods.
"""

import contextlib
import json
import pathlib
import socket
import sys

TOKEN = {"cpu_cores": 0, "memory_mb": 0, "extended": {"licence": 1}}
FREE = {"profile": TOKEN, "allocation_id": None, "job_id": None}
LATER = {"NotLeader", "LeaderIdMismatch", "UnknownJob", "UnknownTaskExecutor"}


class LicenceWorker:
    def __init__(self, access, name, tokens):
        self.address, self.calls, self.has_changed = access["address"], 0, True
        self.stream = socket.create_connection(self.address.rsplit(":", 1)).makefile("rwb")
        self.me = {"resource_id": name, "host": socket.gethostname(), "address": "connection"}
        self.registration = {"leader_id": None}  # later also the instance_id that we got there
        self.slots = [{"slot_id": f"{name}_{n}", "slot_number": n, **FREE} for n in range(tokens)]

    def send(self, **message):
        self.stream.write(json.dumps(message).encode() + b"\n")
        self.stream.flush()

    def call(self, method, **params):
        """Ask slotd, and serve what it asks us until it answers. LookupError: not now."""
        self.calls += 1
        self.send(id=self.calls, method=method, params=params)
        while (answer := self.listen()) is None:
            pass
        if error := answer.get("error"):
            raise (LookupError if error["data"]["type"] in LATER else SystemExit)(error["message"])
        return answer["result"]

    def listen(self):
        """Take one message: an answer is returned, all else is served at once, calling nobody."""
        message = json.loads(self.stream.readline() or sys.exit("slotd hung up"))
        method, params = message.get("method"), message.get("params")
        if method is None:
            return message
        if method == "event":  # a new leader, who knows nothing of us, or a job that is over
            self.take_back("job_id", params.get("job_id", "none"))
            self.has_changed = True
        elif "id" in message:
            self.send(id=message["id"], **self.serve(method, params))
        return None

    def serve(self, method, params):
        problem = None
        if method == "task_executor.request_slot":
            problem = self.lend(**params)
        elif method == "task_executor.free_slot" and params.get("even_if_accepted", True):
            self.take_back("allocation_id", params["allocation_id"])
        elif method == "task_executor.disconnect":
            self.has_changed = True
        elif method == "task_executor.submit_task":
            problem = "a licence runs no commands: hold it, and run the command yourself"
        error = {"code": 3006, "message": problem, "data": {"type": "SlotAllocationFailed"}}
        return {"error": error} if problem else {"result": {"slot_report": self.slots}}

    def lend(self, leader_id, slot_id, job_id, allocation_id, target_address, **_):
        """The ResourceManager gives a token to a job. Returns what is in the way, if anything."""
        slot = next(slot for slot in self.slots if slot["slot_id"] == slot_id)
        if leader_id != self.registration["leader_id"]:
            return "this worker is registered at another ResourceManager"
        if target_address != self.address:
            return f"this worker dials nobody: it lends to the jobs of {self.address}"
        if slot["allocation_id"] not in (None, allocation_id):
            return f"{slot_id} is lent already"
        slot.update(allocation_id=allocation_id, job_id=job_id)
        self.has_changed = True
        return None

    def take_back(self, key, value):
        for slot in self.slots:
            if slot[key] == value:
                slot.update(FREE)
                self.has_changed = True

    def tell_everybody(self):
        """What we say of our slots is the truth for the ResourceManager; jobs may refuse them."""
        self.has_changed = False
        leader_id = self.call("resource_manager.leader")["leader_id"]
        if leader_id != self.registration["leader_id"]:
            us = {**self.me, "leader_id": leader_id, "hardware": {"cpu_cores": 0, "memory_mb": 0}}
            answer = self.call("resource_manager.register_task_executor", **us)
            self.registration = {"leader_id": leader_id, "instance_id": answer["instance_id"]}
        report = {**self.registration, "slot_report": self.slots}
        if not self.call("resource_manager.report_slots", **report)["known"]:
            self.registration, self.has_changed = {"leader_id": None}, True
        for job_id in {slot["job_id"] for slot in self.slots} - {None}:
            self.offer(job_id)

    def offer(self, job_id):
        leader_id = self.call("job_master.leader", job_id=job_id)["leader_id"]
        us = {**self.me, "leader_id": leader_id, "job_id": job_id}
        self.call("job_master.register_task_executor", **us)
        offers = [dict(slot) for slot in self.slots if slot["job_id"] == job_id]
        accepted = self.call("job_master.offer_slots", **us, slots=offers)["accepted"]
        for refused in {offer["allocation_id"] for offer in offers}.difference(accepted):
            self.take_back("allocation_id", refused)


access = json.loads(pathlib.Path(sys.argv[1], "access.json").read_text())
worker = LicenceWorker(access, sys.argv[2], int(sys.argv[3]))
worker.call("hello", protocol=1, client="licence_worker/1", token=access["token"])
worker.call("events.subscribe", types=["leader_granted", "job_closed"])
while True:
    while worker.has_changed:
        with contextlib.suppress(LookupError):
            worker.tell_everybody()
            print("lent:", [slot["slot_id"] for slot in worker.slots if slot["job_id"]], flush=True)
    worker.listen()
