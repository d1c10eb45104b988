"""Old clients of the static analyzer: section 1 of the protocol, over `assay service static`."""

import asyncio, contextlib, json, uuid

import websockets

from old_client import (
    TIME, ask, ask_service, check_frame, closed, connect, send, short, until, wait_until,
)
from rows import row
from servers import World, lives

SERVICE = "static-analyzer"


@contextlib.asynccontextmanager
async def stage(binary):
    world = World({"serve": {"slots": 2}})
    try:
        world.app("acme", 1, [(2, "high", "bad-two"), (3, "low", "bad-three")])
        world.app("acme", 2)
        world.app("tpl_model", 4, [(2, "high", "in-a-template")], layout="{model}/flask-crud/app{number}")
        for number in range(10, 40):
            world.app("many", number, [(number % 20 + 1, "medium", f"of-{number}")])
        # The old names say where it listens.
        args = (binary, ["service", "static"], "WEBSOCKET_PORT", {"WEBSOCKET_HOST": "localhost"})
        world.service = await asyncio.to_thread(world.start_on_a_free_port, *args)
        world.url = world.service.url
        yield world
    finally:
        await asyncio.to_thread(world.close)


def asked(model="acme", number=1, **more):
    return {"type": "static_analyze", "model_slug": model, "app_number": number, "id": str(uuid.uuid4()), **more}


async def reply_of(world, request):
    """The one reply to an old client, and how the connection was closed."""
    frames, code, words = await ask_service(world.url, request)
    *before, reply = frames
    assert all(frame["type"] == "progress_update" for frame in before), short(before)
    assert (code, words) == (1000, "Analysis complete"), f"closed by {code} `{words}`"
    check_frame(
        reply, type="static_analysis_result", service=SERVICE, timestamp=TIME, analysis=dict, status=str, task_id=str,
        correlation_id=request["id"],
    )
    return reply


async def tool_of(world, name, **more):
    """What a reply says of one tool."""
    reply = await reply_of(world, asked(tools=[name], **more))
    tool = reply["analysis"]["tool_results"][name]
    check_frame(tool, tool=name, status=str, executed=bool, total_issues=int, issues=list)
    return reply, tool


def rules_of(analysis, tool):
    """The rules in the SARIF of a tool, which stands in its entry under a language."""
    logs = [entry[tool]["sarif"] for entry in analysis["results"].values() if tool in entry]
    return sorted(found["ruleId"] for log in logs for run in log["runs"] for found in run["results"])


async def hold(ws, world, **more):
    """Begins an analysis that goes on until it is stopped. Returns its request and its processes."""
    known = world.held()
    request = asked(tools=["holder"], **more)
    await send(ws, request)
    pids = await wait_until(lambda: world.held(known))
    return request, pids[0]


# === what every service answers ===


@row("1 ping")
async def a_ping_is_answered_by_a_pong_that_names_the_service(world):
    async with connect(world.url) as ws:
        pong = await ask(ws, {"type": "ping", "timestamp": "2026-11-23T09:04:33.995695"})
    assert set(pong) == {"type", "timestamp", "service"}, pong
    check_frame(pong, type="pong", service=SERVICE, timestamp=TIME)


@row("1 health_check")
async def a_health_check_tells_the_old_fields_and_the_new(world):
    async with connect(world.url) as ws:
        async def settled():
            while True:
                health = await ask(ws, {"type": "health_check", "id": "h1"})
                if "finder" in health["available_tools"]:
                    return health
        health = await asyncio.wait_for(settled(), 60)
    check_frame(
        health, type="health_response", service=SERVICE, version=str, uptime=(int, float), available_tools=list,
        timestamp=TIME, active=0, queued=0, capacity=2,
    )
    assert health["status"] in ("healthy", "degraded"), health
    assert all(isinstance(why, str) for why in health.get("unavailable_tools", {}).values()), health


@row("1 health_check")
async def a_health_check_is_true_about_a_tool_that_is_missing(world):
    _, tool = await tool_of(world, "absent")
    async with connect(world.url) as ws:
        health = await ask(ws, {"type": "health_check"})
    assert tool["status"] == "not_available", tool
    assert "absent" not in health["available_tools"], health


@row("1 server_status")
async def a_server_status_tells_the_configuration_too(world):
    async with connect(world.url) as ws:
        status = await ask(ws, {"type": "server_status"})
    check_frame(status, type="server_status", service=SERVICE, uptime=(int, float), available_tools=list, configuration=dict)


@row("1 cancel_request")
async def a_cancel_is_answered_when_every_process_is_gone(world):
    async with connect(world.url) as ws:
        request, pids = await hold(ws, world)
        assert all(map(lives, pids))
        await send(ws, {"type": "cancel_request", "id": "c", "correlation_id": request["id"]})
        first = await until(ws, lambda frame: frame["type"] == "status_update")
        assert not any(map(lives, pids)), "processes are left"
        check_frame(first, service=SERVICE, data=dict)
        check_frame(first["data"], state="cancelled", task_id=str)


@row("1 cancel_request")
async def the_cancelled_request_still_gets_its_one_reply(world):
    async with connect(world.url) as ws:
        request, _ = await hold(ws, world, task_id="task-" + uuid.uuid4().hex)
        async with connect(world.url) as other:
            state = await ask(other, {"type": "cancel_request", "task_id": request["task_id"]})
        check_frame(state["data"], state="cancelled", task_id=request["task_id"])
        frames = []

        async def read():
            async for message in ws:
                frames.append(json.loads(message))

        await asyncio.wait_for(read(), 60)
        ends = [frame for frame in frames if frame["type"] == "static_analysis_result"]
        assert len(ends) == 1, short(frames)
        check_frame(ends[0], status="cancelled", task_id=request["task_id"], correlation_id=request["id"])
        assert ws.close_code == 1000, ws.close_code


@row("1 cancel_request")
async def a_cancel_of_nothing_says_not_found(world):
    async with connect(world.url) as ws:
        state = await ask(ws, {"type": "cancel_request", "task_id": "no-such-task"})
        check_frame(state, type="status_update", service=SERVICE)
        check_frame(state["data"], state="not_found", task_id="no-such-task")


@row("1 no JSON")
async def text_that_is_no_json_is_an_error_and_the_connection_stays(world):
    async with connect(world.url) as ws:
        for text in ("invalid json {]", "", "{", '{"type":"ping"} x', "{'type': 1}", "[1,"):
            error = await ask(ws, text)
            check_frame(error, type="error", code="invalid_json", message="Invalid JSON format", service=SERVICE)
        check_frame(await ask(ws, {"type": "ping"}), type="pong")


@row("1 unknown type")
async def what_is_no_object_or_of_an_unknown_type_is_an_error_and_the_connection_stays(world):
    async with connect(world.url) as ws:
        error = await ask(ws, {"type": "get_capabilities", "id": "x"})
        check_frame(error, type="error", code="unknown_type", message="Unknown message type: get_capabilities", service=SERVICE)
        for frame in ("[]", "3", '"ping"', "null", "{}", '{"type": 3}', '{"type": null}'):
            error = await ask(ws, frame)
            check_frame(error, type="error", code=str, service=SERVICE)
            assert error["message"].startswith("Unknown message type: "), error
        check_frame(await ask(ws, {"type": "ping"}), type="pong")


@row("1 unknown type")
async def the_request_of_another_service_is_of_an_unknown_type(world):
    async with connect(world.url) as ws:
        for kind in ("dynamic_analyze", "performance_test", "performance_analysis", "ai_analyze", "ai_analysis"):
            error = await ask(ws, {"type": kind, "model_slug": "acme", "app_number": 1})
            check_frame(error, type="error", code="unknown_type", message=f"Unknown message type: {kind}")


@row("1 at any time")
async def everything_is_answered_on_the_connection_of_a_running_analysis(world):
    async with connect(world.url) as ws:
        request, pids = await hold(ws, world)
        for frame, kind in (
            ({"type": "ping"}, "pong"),
            ({"type": "health_check"}, "health_response"),
            ({"type": "server_status"}, "server_status"),
            ("nonsense", "error"),
            ({"type": "nonsense"}, "error"),
            ({"type": "cancel_request", "task_id": "other"}, "status_update"),
        ):
            await send(ws, frame)
            await until(ws, lambda frame, kind=kind: frame["type"] == kind)
        await send(ws, {"type": "health_check"})
        health = await until(ws, lambda frame: frame["type"] == "health_response")
        check_frame(health, active=1)
        await send(ws, {"type": "cancel_request", "correlation_id": request["id"]})
        end = await until(ws, lambda frame: frame["type"] == "static_analysis_result")
        check_frame(end, status="cancelled")
    await wait_until(lambda: not any(map(lives, pids)))


@row("1 at any time")
async def pings_are_answered_while_every_slot_is_busy(world):
    async with connect(world.url) as first, connect(world.url) as second, connect(world.url) as third:
        held = [await hold(first, world), await hold(second, world, model="acme", number=2)]
        waiting = asked("many", 10)
        await send(third, waiting)
        async with connect(world.url) as ws:
            for _ in range(200):
                check_frame(await ask(ws, {"type": "ping"}), type="pong")
            health = await ask(ws, {"type": "health_check"})
            check_frame(health, active=2, queued=1, capacity=2)
        for ws, (request, _) in zip((first, second), held):
            await send(ws, {"type": "cancel_request", "correlation_id": request["id"]})
        end = await until(third, lambda frame: frame["type"] == "static_analysis_result")
        check_frame(end, status="success", correlation_id=waiting["id"])


# === an analysis ===


@row("1 static_analyze")
async def an_analysis_is_answered_in_the_first_systems_shape_and_then_closed(world):
    reply = await reply_of(world, asked(timestamp="2026-11-23T09:05:15.192737"))
    assert reply["status"] == "success", short(reply)
    analysis = check_frame(
        reply["analysis"], model_slug="acme", app_number=1, analysis_time=TIME, status=str, tools_used=["finder"],
        tool_results=dict, results=dict, summary=dict,
    )
    check_frame(analysis["summary"], total_findings=2, severity_breakdown=dict)
    breakdown = analysis["summary"]["severity_breakdown"]
    assert breakdown["high"] == 1 and breakdown["low"] == 1, breakdown
    tool = check_frame(
        analysis["tool_results"]["finder"], tool="finder", status="success", executed=True, total_issues=2, issues=list,
        duration=(int, float), exit_code=1,
    )
    assert "error" in tool and len(tool["issues"]) == 2, tool
    assert rules_of(analysis, "finder") == ["bad-three", "bad-two"], short(analysis)


@row("1 analysis_request")
async def the_common_name_is_taken_too(world):
    frame = {**asked(), "type": "analysis_request"}
    reply = await reply_of(world, frame)
    check_frame(reply, status="success")


@row("1 fields")
async def all_fields_but_the_type_have_defaults(world):
    frames, code, _ = await ask_service(world.url, {"type": "static_analyze"})
    check_frame(frames[-1], type="static_analysis_result", status="error", analysis=dict)
    assert code == 1000, code


@row("1 fields")
async def tools_are_named_at_the_top_or_in_config_in_any_case(world):
    for more in ({"tools": ["FINDER", "Idle"]}, {"config": {"tools": ["Finder", "IDLE"]}}):
        reply = await reply_of(world, asked(**more))
        assert sorted(reply["analysis"]["tool_results"]) == ["finder", "idle"], short(reply)
    for more in ({}, {"tools": []}, {"tools": None}, {"config": {}}):
        reply = await reply_of(world, asked(**more))
        assert list(reply["analysis"]["tool_results"]) == ["finder"], short(reply)


@row("1 fields")
async def a_tool_that_nobody_knows_is_told_and_no_success(world):
    reply = await reply_of(world, asked(tools=["no-such-tool"]))
    assert reply["status"] == "error" and "no-such-tool" in json.dumps(reply["analysis"]), short(reply)


@row("1 fields")
async def config_holds_the_settings_of_tools_by_their_names(world):
    reply = await reply_of(world, asked(config={"finder": {"enabled": False}}, tools=["finder", "idle"]))
    assert reply["analysis"].get("configuration_applied") in (True, None), short(reply)
    reply = await reply_of(world, asked(config={"holder": {"timeout": 1}}, tools=["holder"]))
    assert reply["analysis"]["tool_results"]["holder"]["status"] == "timeout", short(reply)


@row("1 fields")
async def a_timeout_ends_the_analysis_with_what_it_has(world):
    for more in ({"timeout": 2}, {"deadline_ms": 2000}):
        known = world.held()
        reply = await reply_of(world, asked(tools=["finder", "holder"], **more))
        check_frame(reply, status="timeout")
        tools = reply["analysis"]["tool_results"]
        assert tools["finder"]["status"] == "success", short(tools)
        assert tools["holder"]["status"] in ("timeout", "cancelled"), short(tools)
        assert not any(lives(pid) for pids in world.held(known) for pid in pids)


@row("1 fields")
async def ids_come_back_and_a_trace_is_taken(world):
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    task = "task-" + uuid.uuid4().hex
    reply = await reply_of(world, asked(task_id=task, traceparent=trace))
    check_frame(reply, task_id=task)
    frames, _, _ = await ask_service(world.url, asked(correlation_id="mine"))
    check_frame(frames[-1], correlation_id="mine")


@row("1 fields")
async def a_field_that_cannot_be_meant_is_refused_by_its_name(world):
    async with connect(world.url) as ws:
        for field, value in (("app_number", "x"), ("timeout", -1), ("tools", 5), ("config", []), ("task_id", "../x")):
            error = await ask(ws, asked(**{field: value}))
            check_frame(error, type="error", code="invalid_message", service=SERVICE)
            assert f"`{field}`" in error["message"], error


@row("1 missing app")
async def an_app_that_is_not_there_is_an_error_in_the_old_words(world):
    reply = await reply_of(world, asked("nosuch", 1))
    check_frame(reply, status="error")
    assert reply["analysis"] == {
        "status": "error", "error": "Model path not found for nosuch app1 (checked flat and template structures)",
    }, reply


# === how a tool ended ===


@row("1 tool status")
async def a_tool_that_found_something_is_a_success_and_one_that_found_nothing_has_no_issues(world):
    reply, tool = await tool_of(world, "finder")
    assert (reply["status"], tool["status"], tool["exit_code"]) == ("success", "success", 1), tool
    reply, tool = await tool_of(world, "finder", number=2)
    assert (reply["status"], tool["status"], tool["total_issues"]) == ("success", "no_issues", 0), tool


@row("1 tool status")
async def a_tool_that_failed_is_an_error_and_never_clean(world):
    reply, tool = await tool_of(world, "breaker")
    assert (reply["status"], tool["status"], tool["exit_code"]) == ("error", "error", 77), tool
    assert tool["error"], tool


@row("1 tool status")
async def a_tool_that_is_not_there_is_not_available(world):
    reply, tool = await tool_of(world, "absent")
    assert (reply["status"], tool["status"], tool["executed"]) == ("error", "not_available", False), tool
    assert tool["error"], tool


@row("1 tool status")
async def a_tool_without_inputs_is_skipped(world):
    _, tool = await tool_of(world, "idle")
    assert (tool["status"], tool["executed"]) == ("skipped", False), tool


@row("1 reply status")
async def some_tools_make_it_partial(world):
    reply = await reply_of(world, asked(tools=["finder", "breaker"]))
    check_frame(reply, status="partial")


@row("1 static detail")
async def results_stand_under_their_languages_and_one_without_files_says_so(world):
    results = (await reply_of(world, asked()))["analysis"]["results"]
    for language in ("python", "javascript", "css", "html", "structure"):
        assert isinstance(results.get(language), dict), f"`{language}` is missing in {short(results)}"
    for language in ("javascript", "css", "html"):
        check_frame(results[language], status="no_files", message=str)
    assert any("finder" in inner for inner in results.values()), short(results)


# === progress, and the end of the connection ===


@row("1 progress_update")
async def progress_is_told_in_the_first_systems_shape(world):
    request = asked()
    frames, _, _ = await ask_service(world.url, request)
    told = frames[:-1]
    assert told, "there is no progress"
    last = 0
    for frame in told:
        check_frame(frame, type="progress_update", correlation_id=request["id"], stage=str, message=str, service=SERVICE, data=dict, timestamp=TIME)
        check_frame(
            frame["data"], stage=frame["stage"], progress=(int, float), message=frame["message"], current_file=str,
            files_processed=int, total_files=int, issues_found=int,
        )
        assert last <= frame["data"]["progress"] <= 1, f"{frame['data']['progress']} after {last}"
        last = frame["data"]["progress"]
    assert any(frame["data"].get("tool") == "finder" for frame in told), short(told)


@row("1 assay.v1")
async def a_client_that_asks_for_the_subprotocol_keeps_its_connection(world):
    async with connect(world.url, subprotocols=["assay.v1"]) as ws:
        assert ws.subprotocol == "assay.v1", ws.subprotocol
        for number in (1, 2):
            request = asked(number=number)
            await send(ws, request)
            end = await until(ws, lambda frame: frame["type"] == "static_analysis_result")
            check_frame(end, status="success", correlation_id=request["id"])
        check_frame(await ask(ws, {"type": "ping"}), type="pong")


@row("1 assay.v1")
async def a_result_is_had_again_by_its_task_after_the_connection_was_lost(world):
    task = "task-" + uuid.uuid4().hex
    async with connect(world.url) as ws:
        await send(ws, asked("many", 11, task_id=task, detach=True))
        await until(ws, lambda frame: frame["type"] == "progress_update")
        # No close frame, no goodbye: as when a cable is pulled.
        ws.transport.abort()
        with contextlib.suppress(websockets.ConnectionClosed):
            await closed(ws)
    async with connect(world.url) as ws:
        async def finished():
            while True:
                status = await ask(ws, {"type": "status_request", "task_id": task})
                if status["data"]["state"] == "finished":
                    return status["data"]
                await asyncio.sleep(0.05)
        data = await asyncio.wait_for(finished(), 60)
    check_frame(data, task_id=task, status="success", result=dict)
    check_frame(data["result"], type="static_analysis_result", status="success", task_id=task)


@row("1 close")
async def an_old_client_that_asks_two_things_gets_both_before_the_close(world):
    requests = [asked("many", 12), asked("many", 13)]
    async with connect(world.url) as ws:
        for request in requests:
            await send(ws, request)
        ends = [await until(ws, lambda frame: frame["type"] == "static_analysis_result") for _ in requests]
        assert {end["correlation_id"] for end in ends} == {request["id"] for request in requests}
        assert await closed(ws) == (1000, "Analysis complete")


@row("1 isolation")
async def analyses_at_once_get_each_the_result_of_its_own_app(world):
    numbers = range(10, 40)
    requests = [asked("many", number) for number in numbers]
    replies = await asyncio.gather(*(reply_of(world, request) for request in requests))
    for number, reply in zip(numbers, replies):
        check_frame(reply, status="success")
        check_frame(reply["analysis"], app_number=number, model_slug="many")
        assert rules_of(reply["analysis"], "finder") == [f"of-{number}"], short(reply)


# === where the source is ===


@row("3 source")
async def a_model_is_found_as_given_or_normalised_flat_or_in_a_template(world):
    for model in ("acme", " Acme ", "ACME"):
        check_frame(await reply_of(world, asked(model)), status="success")
    for model in ("tpl_model", "tpl-model", "TPL/model", "tpl model"):
        check_frame(await reply_of(world, asked(model, 4)), status="success")
    inside = str(world.apps / "acme" / "app1")
    check_frame(await reply_of(world, asked(source_path=inside)), status="success")


@row("3 source")
async def nothing_outside_of_the_source_roots_is_read(world):
    secret = world.root / "outside" / "secret.py"
    secret.write_text("password = 'hunter2'\n")
    link = world.apps / "linked"
    if not link.exists():
        link.mkdir()
        (link / "app1").symlink_to(world.root / "outside")
    for request in (
        asked(source_path="../../etc"),
        asked(source_path="/etc"),
        asked(source_path=str(world.root / "outside")),
        asked(source_path=str(world.apps / "acme" / ".." / ".." / ".." / "..")),
        asked(source_path=str(link / "app1")),
        asked("linked", 1),
        asked("../../../outside", 1),
        asked(str(world.root / "outside"), 1),
    ):
        reply = await reply_of(world, request)
        check_frame(reply, status="error")
        assert "hunter2" not in json.dumps(reply)
        is_path = "source_path" in request or request["model_slug"] == "linked"
        if is_path:
            check_frame(reply["analysis"], code="path_not_allowed")
        assert not reply["analysis"].get("tool_results"), short(reply)
