"""Messages and JSON values: PROTOCOL "Values" and "Methods", strict in both directions."""

import contextlib
from typing import Any

import attrs
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import codec
from protocol.errors import InvalidParams, MethodNotFound, ProtocolError
from protocol.ids import AllocationId, JobId, LeaderId, RequestId, ResourceId, SlotId, TaskId
from protocol.messages.calls import Request
from protocol.messages.client import AllocateSlot, JobOpened, OpenJob, RunTask, TaskFinished
from protocol.messages.session import Hello
from protocol.messages.task_executor import HeartbeatOfExecutor, SlotReport
from protocol.messages.values import CoLocation, GrantedSlot, Locality, Location, SlotStatus
from protocol.news import Event, OtherNews, SlotAllocated
from protocol.resources import UNKNOWN, ResourceProfile
from tests.wire import messages

JOB = JobId("a" * 32)
REQUEST = RequestId("b" * 32)
ALLOCATION = AllocationId("c" * 32)
SMALL = ResourceProfile(1.0, 512, {"gpu": 1})


def refusal(method: str, **params: Any) -> InvalidParams:
    with pytest.raises(InvalidParams) as caught:
        codec.decode_request(method, params)
    return caught.value


def sent(line: bytes) -> Any:
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    return orjson.loads(line)


@pytest.mark.parametrize("kind", messages.REQUEST_CLASSES)
@settings(max_examples=5)
@given(data=st.data())
def test_every_request_comes_back_from_its_line(kind: Any, data: st.DataObject) -> None:
    request = data.draw(messages.objects(kind))
    line = sent(codec.encode_request(7, request))
    assert (line["jsonrpc"], line["id"]) == ("2.0", 7)
    assert codec.decode_request(line["method"], line["params"]) == request
    assert codec.unknown_params(kind, line["params"]) == 0


@pytest.mark.parametrize("kind", messages.NOTIFICATION_CLASSES)
@settings(max_examples=5)
@given(data=st.data())
def test_every_notification_comes_back_from_its_line(kind: Any, data: st.DataObject) -> None:
    notification = data.draw(messages.values(kind))
    line = sent(codec.encode_notification(notification))
    assert "id" not in line
    assert codec.decode_notification(line["method"], line["params"]) == notification
    assert codec.unknown_params(kind, line["params"]) == 0


@pytest.mark.parametrize(("kind", "answer"), messages.ANSWERED)
@settings(max_examples=5)
@given(data=st.data())
def test_every_answer_comes_back_from_its_line(kind: Any, answer: Any, data: st.DataObject) -> None:
    result = data.draw(messages.values(answer))
    line = sent(codec.encode_answer("k", result))
    assert line["id"] == "k"
    assert codec.decode_answer(kind, line["result"]) == result


@pytest.mark.parametrize("kind", messages.REQUEST_CLASSES)
@settings(max_examples=8)
@given(data=st.data())
def test_any_params_make_a_message_or_are_refused_with_a_path(
    kind: Any, data: st.DataObject
) -> None:
    """A field at a time is replaced by any JSON value, the others are right."""
    params: dict[str, Any] = codec.to_json(data.draw(messages.objects(kind)))
    attrs.resolve_types(kind)
    names = [*params, *(f.name for f in attrs.fields(kind)), "from", "profile"]
    for name in data.draw(st.lists(st.sampled_from(names), max_size=2)):
        params[name] = data.draw(messages.JSON)
    outcome = decoded_or_refused(kind.METHOD, params)
    if isinstance(outcome, InvalidParams):
        assert outcome.data["path"].startswith("params")
        assert outcome.data["expected"]
        assert len(outcome.message) < 700
        orjson.dumps(outcome.data)
    else:
        assert type(outcome) is kind
        assert codec.decode_request(kind.METHOD, codec.to_json(outcome)) == outcome


def decoded_or_refused(method: str, params: dict[str, Any]) -> Request[Any] | InvalidParams:
    try:
        return codec.decode_request(method, params)
    except InvalidParams as error:
        return error


@given(params=st.dictionaries(st.text(max_size=8), messages.JSON, max_size=4), data=st.data())
def test_arbitrary_params_raise_nothing_but_refusals(
    params: dict[str, Any], data: st.DataObject
) -> None:
    kind = data.draw(st.sampled_from(messages.REQUEST_CLASSES + messages.NOTIFICATION_CLASSES))
    decode = codec.decode_request if issubclass(kind, Request) else codec.decode_notification
    with contextlib.suppress(InvalidParams):
        decode(kind.METHOD, params)


@given(result=messages.JSON, data=st.data())
def test_an_arbitrary_answer_raises_nothing_but_protocol_errors(
    result: Any, data: st.DataObject
) -> None:
    kind: type[Request[Any]] = data.draw(st.sampled_from(messages.REQUEST_CLASSES))
    with contextlib.suppress(ProtocolError):
        codec.decode_answer(kind, result)


def allocate(**params: Any) -> InvalidParams:
    return refusal("slot.allocate", job_id=JOB, **params)


@pytest.mark.parametrize(
    ("params", "path", "expected"),
    [
        ({"profile": {"cpu_cores": 1, "memory_mb": -5}}, "profile.memory_mb", "0 to 1e12, got -5"),
        ({"profile": {"cpu_cores": -1, "memory_mb": 5}}, "profile.cpu_cores", "0 to 1e12, got -1"),
        ({"profile": {"memory_mb": 1.7}}, "profile.memory_mb", "whole amount"),
        ({"profile": {"memory_mb": 512.0}}, "profile.memory_mb", "whole amount"),
        ({"profile": {"memory_mb": "512"}}, "profile.memory_mb", "got '512'"),
        ({"profile": {"memory_mb": True}}, "profile.memory_mb", "got true"),
        ({"profile": {"memory_mb": None}}, "profile.memory_mb", "got null"),
        ({"profile": {"memory_mb": 10**13}}, "profile.memory_mb", "0 to 1e12"),
        ({"profile": {"memory_mb": 1.8e19}}, "profile.memory_mb", "0 to 1e12"),
        ({"profile": {"cpu_cores": 1e300}}, "profile.cpu_cores", "0 to 1e12, got 1e+300"),
        ({"profile": {"cpu_cores": float("nan")}}, "profile.cpu_cores", "got nan"),
        ({"profile": {"cpu_cores": float("inf")}}, "profile.cpu_cores", "got inf"),
        ({"profile": {"extended": {"gpu": "1"}}}, "profile.extended.gpu", "got '1'"),
        ({"profile": {"extended": {"gpu": -1}}}, "profile.extended.gpu", "got -1"),
        ({"profile": {"extended": {"g p": 1}}}, "profile.extended", "resource name"),
        ({"profile": {"extended": []}}, "profile.extended", "an object"),
        ({"profile": {"cpu_core": 1}}, "profile.cpu_core", "did you mean cpu_cores?"),
        ({"profile": "small"}, "profile", "a profile {cpu_cores"),
        ({"profile": []}, "profile", "got an array"),
        ({"preferred": [{}, {"hots": "x"}]}, "preferred[1].hots", "did you mean host?"),
        ({"preferred": [{"host": 7}]}, "preferred[0].host", "got 7"),
        ({"preferred": [{"resource_id": "a b"}]}, "preferred[0].resource_id", "1 to 128 of"),
        ({"preferred": "te-1"}, "preferred", "expected an array, got 'te-1'"),
        ({"preferred": None}, "preferred", "got null"),
        ({"preferred": ["te-1"]}, "preferred[0]", "expected an object"),
        ({"co_location": {"group": "g", "index": 1.0}}, "co_location.index", "got 1.0"),
        ({"co_location": {"group": "g", "indx": 1}}, "co_location.indx", "did you mean index?"),
        ({"co_location": {"group": "g"}}, "co_location.index", "is missing"),
        ({"queued": 1}, "queued", "true or false, got 1"),
        ({"queued": "no"}, "queued", "true or false"),
        ({"queued": None}, "queued", "got null"),
        ({"timeout": 0}, "timeout", "seconds > 0"),
        ({"timeout": -1}, "timeout", "got -1"),
        ({"timeout": "50 s"}, "timeout", "got '50 s'"),
        ({"timeout": True}, "timeout", "got true"),
        ({"timeout": float("inf")}, "timeout", "got inf"),
        ({"request_id": "xyz"}, "request_id", "32 hexadecimal digits"),
        ({"request_id": "A" * 32}, "request_id", "32 hexadecimal digits"),
        ({"request_id": "b" * 33}, "request_id", "32 hexadecimal digits"),
        ({"request_id": "b" * 32 + "\n"}, "request_id", "32 hexadecimal digits"),
        ({"request_id": 7}, "request_id", "got 7"),
        ({"task": ""}, "task", "1 to 256 characters"),
        ({"task": "a\x1b[2J"}, "task", "no control characters"),
        ({"tag": {}}, "tag", "got an object"),
        ({"job_id": None}, "job_id", "got null"),
    ],
)
def test_a_bad_value_is_refused_with_its_path_the_value_and_what_was_expected(
    params: dict[str, Any], path: str, expected: str
) -> None:
    error = refusal("slot.allocate", **{"job_id": JOB, **params})
    assert error.data["path"] == f"params.{path}"
    assert expected in error.message
    assert error.data["expected"] in error.message


@pytest.mark.parametrize(
    ("method", "params", "path"),
    [
        ("job.open", {}, "name"),
        ("job.open", {"name": None}, "name"),
        ("job.open", {"name": "x", "detached": 0}, "detached"),
        ("job.close", {"job_id": "0x" + "a" * 30}, "job_id"),
        ("task.run", {"job_id": JOB, "request_id": REQUEST, "command": "ls"}, "command"),
        ("task.run", {"job_id": JOB, "request_id": REQUEST, "command": []}, "command"),
        ("task.run", {"job_id": JOB, "request_id": REQUEST, "command": [""]}, "command[0]"),
        ("task.run", {"job_id": JOB, "request_id": REQUEST, "command": ["a", 1]}, "command[1]"),
        ("task.run", {"job_id": JOB, "request_id": REQUEST, "command": ["a\0"]}, "command[0]"),
        ("task.cancel", {"task_id": "t", "grace": -1}, "grace"),
        ("leader.revoke", {"component": "job_master"}, "component"),
        ("leader.revoke", {"component": "job_master/" + "z" * 32}, "component"),
        ("executor.drain", {"resource_id": "a/b"}, "resource_id"),
        ("events.subscribe", {"from_seq": -1}, "from_seq"),
        ("events.subscribe", {"types": ["slot_freeed"]}, "types[0]"),
        ("task_executor.heartbeat", {}, "from"),
        ("task_executor.heartbeat", {"from": "rm"}, "from"),
        ("resource_manager.notify_slot_available", {"leader_id": "a" * 32}, "instance_id"),
    ],
)
def test_the_path_leads_to_the_field_that_is_wrong(
    method: str, params: dict[str, Any], path: str
) -> None:
    assert refusal(method, **params).data["path"] == f"params.{path}"


@pytest.mark.parametrize("name", ["", "A=", "A\0"])
def test_the_name_of_a_variable_has_neither_equals_sign_nor_nul(name: str) -> None:
    error = refusal(
        "task.run", job_id=JOB, request_id=REQUEST, command=["true"], env={name: "value"}
    )
    assert error.data["path"] == "params.env"


@pytest.mark.parametrize("value", ["a\0secret", 7, None])
def test_the_value_of_a_variable_is_never_shown(value: Any) -> None:
    error = refusal(
        "task.run", job_id=JOB, request_id=REQUEST, command=["true"], env={"PASSWORD": value}
    )
    assert error.data["path"] == "params.env.PASSWORD"
    assert error.message.endswith("got something else (not shown)")


@pytest.mark.parametrize("token", [1234567, "", "with space", "é", ["s3cret"], "x" * 513])
def test_a_token_of_the_wrong_form_is_never_shown(token: Any) -> None:
    error = refusal("hello", protocol=1, client="nc/1", token=token)
    assert error.data["path"] == "params.token"
    assert error.message.endswith("got something else (not shown)")


def test_a_token_is_in_no_representation_of_hello() -> None:
    assert "s3cret" not in repr(Hello(1, "nc/1", "s3cret"))


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("127.0.0.1:6123", True),
        ("[::1]:6123", True),
        ("[fe80::1%eth0]:1", True),
        ("worker.example:65535", True),
        ("worker", False),
        ("worker:0", False),
        ("worker:65536", False),
        ("worker:٣", False),
        ("::1:6123", False),
        (":6123", False),
        ("a b:1", False),
        ("connection", False),
        ("worker:1\n", False),
    ],
)
def test_a_target_address_is_a_host_and_a_port(address: str, good: bool) -> None:
    params = {
        "leader_id": "1" * 32,
        "job_id": JOB,
        "job_master_id": "2" * 32,
        "allocation_id": ALLOCATION,
        "target_address": address,
    }
    if good:
        codec.decode_request("resource_manager.request_slot", params)
    else:
        error = refusal("resource_manager.request_slot", **params)
        assert error.data["path"] == "params.target_address"


def test_a_long_value_is_cut_in_the_message() -> None:
    assert len(allocate(request_id="x" * 100_000).message) < 250
    assert len(allocate(profile={"x" * 100_000: 1}).message) < 400


def test_a_deeply_nested_value_is_refused_like_any_other() -> None:
    deep: Any = orjson.loads(b"[" * 900 + b"]" * 900)
    for params in ({"preferred": deep}, {"profile": {"extended": deep}}, {"timeout": deep}):
        assert allocate(**params).data["expected"]


def test_an_unknown_parameter_is_ignored_and_counted() -> None:
    params = {"job_id": JOB, "prioritiy": 9, "colour": None}
    assert codec.decode_request("slot.allocate", params) == AllocateSlot(JOB)
    assert codec.unknown_params(AllocateSlot, params) == 2
    assert codec.unknown_params(AllocateSlot, {"job_id": JOB}) == 0


def test_an_unknown_field_of_an_answer_is_ignored() -> None:
    answer = {"job_id": JOB, "leader_id": "1" * 32, "new": 1}
    assert codec.decode_answer(OpenJob, answer) == JobOpened(JOB, LeaderId("1" * 32))


def test_a_profile_left_out_or_null_is_unknown_and_an_amount_left_out_is_zero() -> None:
    """C30: UNKNOWN is the one object, so that `is` tells it from a profile of nothing."""
    for params in ({"job_id": JOB}, {"job_id": JOB, "profile": None}):
        request = codec.decode_request("slot.allocate", params)
        assert isinstance(request, AllocateSlot)
        assert request.profile is UNKNOWN
    request = codec.decode_request("slot.allocate", {"job_id": JOB, "profile": {}})
    assert isinstance(request, AllocateSlot)
    assert request.profile is not UNKNOWN
    assert request.profile == ResourceProfile(0.0, 0)


def test_equal_profiles_become_one_object() -> None:
    def decoded(profile: dict[str, Any]) -> ResourceProfile:
        request = codec.decode_request("slot.allocate", {"job_id": JOB, "profile": profile})
        assert isinstance(request, AllocateSlot)
        return request.profile

    whole = decoded({"cpu_cores": 1, "memory_mb": 512, "extended": {"gpu": 1}})
    assert whole is decoded({"cpu_cores": 1.0, "memory_mb": 512, "extended": {"gpu": 1.0}})
    assert whole == SMALL


def test_an_allocation_is_read_whole() -> None:
    params = {
        "job_id": JOB,
        "request_id": REQUEST,
        "profile": {"cpu_cores": 1, "memory_mb": 512, "extended": {"gpu": 1}},
        "queued": False,
        "timeout": 5,
        "preferred": [{"resource_id": "te-1"}, {"host": "h"}, {}],
        "task": "map",
        "sharing_group": "g",
        "co_location": {"group": "c", "index": 0},
        "tag": "t",
    }
    assert codec.decode_request("slot.allocate", params) == AllocateSlot(
        JOB,
        REQUEST,
        SMALL,
        queued=False,
        timeout=5.0,
        preferred=[Location(ResourceId("te-1")), Location(host="h"), Location()],
        task="map",
        sharing_group="g",
        co_location=CoLocation("c", 0),
        tag="t",
    )


def test_an_answer_is_written_whole() -> None:
    granted = GrantedSlot(
        REQUEST, ALLOCATION, SlotId("te-1_0"), ResourceId("te-1"), "h", 0, SMALL, Locality.LOCAL
    )
    assert sent(codec.encode_answer(1, granted)) == {
        "jsonrpc": "2.0",
        "id": 1,
        "result": {
            "request_id": REQUEST,
            "allocation_id": ALLOCATION,
            "slot_id": "te-1_0",
            "resource_id": "te-1",
            "host": "h",
            "slot_number": 0,
            "profile": {"cpu_cores": 1.0, "memory_mb": 512, "extended": {"gpu": 1}},
            "locality": "LOCAL",
        },
    }


def test_a_free_slot_in_a_report_has_null_where_an_occupied_one_has_ids() -> None:
    report = SlotReport([SlotStatus(SlotId("te-1_0"), UNKNOWN)])
    assert codec.to_json(report) == {
        "slot_report": [
            {"slot_id": "te-1_0", "profile": None, "allocation_id": None, "job_id": None}
        ]
    }


def test_a_request_leaves_out_what_has_its_default() -> None:
    assert codec.to_json(AllocateSlot(JOB)) == {"job_id": JOB}
    assert codec.to_json(TaskFinished(task_id=TaskId("t-1"), exit_code=0)) == {
        "task_id": "t-1",
        "exit_code": 0,
    }


def test_the_sender_of_a_heartbeat_is_from_on_the_wire() -> None:
    beat = codec.decode_request("task_executor.heartbeat", {"from": "resource_manager"})
    assert isinstance(beat, HeartbeatOfExecutor)
    assert beat.sender == "resource_manager"
    assert codec.to_json(beat) == {"from": "resource_manager"}
    with pytest.raises(InvalidParams, match=r"params\.from is missing"):
        codec.decode_request("task_executor.heartbeat", {"sender": "resource_manager"})


def test_an_event_is_one_flat_object() -> None:
    event = Event(17, 1.5, SlotAllocated(SlotId("te-1_0"), ALLOCATION, JOB))
    assert sent(codec.encode_notification(event)) == {
        "jsonrpc": "2.0",
        "method": "event",
        "params": {
            "seq": 17,
            "at": 1.5,
            "type": "slot_allocated",
            "slot_id": "te-1_0",
            "allocation_id": ALLOCATION,
            "job_id": JOB,
        },
    }


def test_an_event_of_a_newer_daemon_keeps_its_number_and_its_fields() -> None:
    params = {"seq": 3, "at": 0.5, "type": "slot_painted", "colour": "red"}
    event = codec.decode_notification("event", params)
    assert event == Event(3, 0.5, OtherNews("slot_painted", {"colour": "red"}))
    assert codec.to_json(event) == params


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"seq": 1, "at": 1.0},
        {"seq": 1.0, "at": 1.0, "type": "slot_freed"},
        {"seq": 1, "at": "now", "type": "slot_freed"},
        {"seq": 1, "at": 1.0, "type": 7},
        {"seq": 1, "at": 1.0, "type": "slot_freed", "slot_id": "te-1"},
    ],
)
def test_a_malformed_event_is_refused(params: dict[str, Any]) -> None:
    with pytest.raises(InvalidParams):
        codec.decode_notification("event", params)


@pytest.mark.parametrize(
    ("method", "advice"),
    [
        ("slot.alocate", "did you mean slot.allocate?"),
        ("task.output", "task.output is a notification to a client: send it without an id"),
        ("event", "a notification to a client"),
        ("job_master.task_finished", "a notification to a JobMaster"),
        ("x" * 5000, "there is no method"),
        ("", "there is no method ''"),
    ],
)
def test_an_unknown_method_is_refused_with_advice(method: str, advice: str) -> None:
    with pytest.raises(MethodNotFound) as caught:
        codec.decode_request(method, {})
    assert advice in caught.value.message
    assert len(caught.value.message) < 300


def test_an_unknown_notification_is_refused() -> None:
    with pytest.raises(MethodNotFound):
        codec.decode_notification("slot.allocate", {"job_id": JOB})


def test_a_malformed_answer_names_the_method_and_the_path() -> None:
    result = {"slot_report": [{"slot_id": "te-1", "profile": None}]}
    with pytest.raises(ProtocolError, match=r"task_executor\.heartbeat.*result\.slot_report\[0\]"):
        codec.decode_answer(HeartbeatOfExecutor, result)


def test_stdin_and_environment_are_in_no_representation_of_a_command() -> None:
    run = RunTask(JOB, REQUEST, ["true"], {"PASSWORD": "s3cret"}, None, "s3cret")
    assert "s3cret" not in repr(run)
