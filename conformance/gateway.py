"""Old clients of the gateway: section 2 of the protocol, over `assay serve`."""

import asyncio, contextlib, json, re, uuid

from old_client import (
    TIME, analysed, answers, ask, check_frame, connect, ends, receive, request, send, short, until, wait_until,
)
from rows import row
from servers import World, lives

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
OLD_SERVICES = {
    "code_quality": "ws://localhost:2001",
    "security_analyzer": "ws://localhost:2001",
    "dependency_scanner": "ws://localhost:2001",
}


@contextlib.asynccontextmanager
async def stage(binary):
    world = World({"serve": {"slots": 2}})
    try:
        world.app("acme", 1, [(2, "high", "bad-two"), (3, "low", "bad-three")])
        world.app("acme", 2)
        for number in range(1, 6):
            world.app("held", number)
        for number in range(1, 101):
            world.app("many", number, [(number % 20 + 1, "medium", f"of-{number}")])
        # The old names say where it listens.
        variables = {"GATEWAY_HOST": "localhost", "GATEWAY_PORT": "0"}
        args = ["serve", "--no-service-ports"]
        world.gateway = await asyncio.to_thread(world.start, binary, args, variables)
        world.url = world.gateway.url
        yield world
    finally:
        await asyncio.to_thread(world.close)


async def hold(ws, world, number, **more):
    """Begins an analysis that goes on until it is stopped. Returns its request, its task and its processes."""
    known = world.held()
    asked = request("held", number, tools=["holder"], **more)
    await send(ws, asked)
    queued = await until(ws, answers(asked))
    pids = await wait_until(lambda: world.held(known))
    return asked, queued["data"]["task_id"], pids[0]


def check_result(frame, asked, status="success"):
    """Holds the end of an analysis against what old clients read. Returns the analysis."""
    check_frame(frame, type="analysis_result", id=UUID, timestamp=TIME, correlation_id=asked["id"], data=dict)
    data = check_frame(
        frame["data"], type="static_analysis_result", status=status, service="static-analyzer", analysis=dict,
        timestamp=TIME, task_id=str,
    )
    return data["analysis"]


def rules_of(analysis):
    logs = [entry["finder"]["sarif"] for entry in analysis["results"].values() if "finder" in entry]
    return sorted(found["ruleId"] for log in logs for run in log["runs"] for found in run["results"])


# === the envelope, and what is answered at once ===


@row("2 connection_ack")
async def a_connection_is_acknowledged_with_the_time(world):
    async with connect(world.url) as ws:
        frame = await ask(ws, {"type": "connection_ack", "id": "a1", "timestamp": "2026-11-23T09:04:44.704808"})
    check_frame(frame, type="connection_ack", id=UUID, timestamp=TIME, data=dict)
    check_frame(frame["data"], status="acknowledged", server_time=TIME)


@row("2 heartbeat")
async def a_heartbeat_is_answered_alive(world):
    async with connect(world.url) as ws:
        frame = await ask(ws, {"type": "heartbeat", "id": "a2"})
    check_frame(frame, type="heartbeat", id=UUID, timestamp=TIME, data={"status": "alive"})


@row("2 ping")
async def a_ping_is_answered_by_a_pong(world):
    async with connect(world.url) as ws:
        check_frame(await ask(ws, {"type": "ping", "id": "p"}), type="pong", id=UUID, timestamp=TIME, correlation_id="p")


@row("2 envelope")
async def replies_carry_the_id_and_only_the_type_is_required(world):
    async with connect(world.url) as ws:
        for kind in ("connection_ack", "heartbeat", "ping", "status_request"):
            frame = await ask(ws, {"type": kind, "id": "mine", "client_id": "c", "service": None, "data": None})
            check_frame(frame, id=UUID, timestamp=TIME, correlation_id="mine")
            frame = await ask(ws, {"type": kind})
            check_frame(frame, id=UUID, timestamp=TIME)
            assert frame["type"] != "error", frame


# === status and the event stream ===


@row("2 status_request")
async def a_status_tells_the_routes_as_before_and_what_is_new(world):
    async with connect(world.url) as ws:
        frame = await ask(ws, {"type": "status_request", "id": "st1"})
    check_frame(frame, type="status_update", correlation_id="st1", data=dict)
    data = check_frame(frame["data"], services=dict, timestamp=TIME, subscribed=False, pool=dict, tasks=dict, breakers=(list, dict), queue=dict)
    for name, url in OLD_SERVICES.items():
        assert data["services"].get(name) == url, data["services"]
    check_frame(
        data["pool"], max_concurrent_connections=50, active_connections=int, pooled_connections=int, active_tasks=int,
        pending_requests=int, circuit_breakers=dict,
    )


@row("2 status_request")
async def the_first_frame_after_subscribing_says_so(world):
    for wish in (True, "events", "yes"):
        async with connect(world.url) as ws:
            frame = await ask(ws, {"type": "status_request", "id": "sub", "data": {"subscribe": wish}})
            check_frame(frame, type="status_update", correlation_id="sub")
            check_frame(frame["data"], subscribed=True)
            for none in ("none", False):
                frame = await ask(ws, {"type": "status_request", "data": {"subscribe": none}})
                check_frame(frame["data"], subscribed=False)


@row("2 status_request")
async def what_is_published_reaches_every_subscriber_and_nobody_else(world):
    async with connect(world.url) as one, connect(world.url) as other, connect(world.url) as none, connect(world.url) as sender:
        for ws in (one, other):
            await ask(ws, {"type": "status_request", "data": {"subscribe": "events"}})
        stage = "stage-" + uuid.uuid4().hex
        ack = await ask(sender, {"type": "progress_update", "id": "pu", "data": {"stage": stage, "progress": 0.5, "message": "half"}})
        check_frame(ack, type="status_update", correlation_id="pu", data={"ack": True, "stage": stage})
        for ws in (one, other):
            frame = await until(ws, lambda frame: frame["data"].get("stage") == stage)
            check_frame(frame, type="progress_update", id=UUID, timestamp=TIME)
            check_frame(frame["data"], progress=0.5, message="half")
        check_frame(await ask(none, {"type": "heartbeat"}), type="heartbeat")


@row("2 status_request")
async def replay_sends_the_last_fifty_events_as_status_updates(world):
    async with connect(world.url) as ws:
        prefix = uuid.uuid4().hex
        for number in range(60):
            await ask(ws, {"type": "progress_update", "data": {"stage": f"{prefix}-{number}", "progress": 0, "message": ""}})
    async with connect(world.url) as ws:
        first = await ask(ws, {"type": "status_request", "id": "s", "data": {"subscribe": "events", "replay": True}})
        check_frame(first["data"], subscribed=True)
        events = [await receive(ws) for _ in range(50)]
        assert {event["type"] for event in events} == {"status_update"}, short(events)
        assert [event["data"]["stage"] for event in events] == [f"{prefix}-{number}" for number in range(10, 60)]
        check_frame(await ask(ws, {"type": "heartbeat"}), type="heartbeat")


@row("2 status_request")
async def subscribers_see_an_analysis_from_its_progress_to_its_end(world):
    async with connect(world.url) as watcher, connect(world.url) as ws:
        await ask(watcher, {"type": "status_request", "data": {"subscribe": True}})
        end = await analysed(ws, request("acme", 1, refresh=True))
        task = end["data"]["task_id"]
        seen = []

        def is_end(frame):
            return frame["type"] in ("analysis_result", "status_update") and task in json.dumps(frame)

        await until(watcher, is_end, seen)
        assert any(frame["type"] == "progress_update" and frame["data"]["analysis_id"] == task for frame in seen), short(seen)


@row("2 status_request")
async def a_task_is_asked_for_by_its_id_with_its_result_once_it_ended(world):
    async with connect(world.url) as ws:
        end = await analysed(ws, request("acme", 1))
        task = end["data"]["task_id"]
        frame = await ask(ws, {"type": "status_request", "id": "t", "data": {"task_id": task}})
        check_frame(frame, type="status_update", correlation_id="t")
        check_frame(frame["data"], state="finished", task_id=task, status="success", result=dict)
        frame = await ask(ws, {"type": "status_request", "data": {"task_id": "nothing"}})
        check_frame(frame["data"], state="not_found")


@row("2 status_request")
async def a_slow_subscriber_delays_nobody(world):
    big = "x" * 20_000
    # It reads nothing: its receive queue and its buffers fill up.
    async with connect(world.url, max_queue=1) as slow, connect(world.url) as quick, connect(world.url) as sender:
        await ask(slow, {"type": "status_request", "data": {"subscribe": "events"}})
        await ask(quick, {"type": "status_request", "data": {"subscribe": "events"}})
        for number in range(2_000):
            stage = f"flood-{number}"
            ack = await ask(sender, {"type": "progress_update", "data": {"stage": stage, "progress": 0, "message": big}})
            check_frame(ack["data"], ack=True)
            frame = await receive(quick)
            check_frame(frame["data"], stage=stage)
        # Then it reads on: it is told what it missed, or that it was too slow.
        last, missed = None, 0
        with contextlib.suppress(Exception):
            while last != "flood-1999":
                frame = await asyncio.wait_for(receive(slow), 10)
                missed += frame["data"].get("missed", 0)
                last = frame["data"].get("stage", last)
        assert (last == "flood-1999" and missed > 0) or slow.close_code is not None, (last, missed, slow.close_code)


# === analyses ===


@row("2 analysis_request")
async def an_analysis_is_queued_tells_its_progress_and_ends_once(world):
    seen = []
    async with connect(world.url) as ws:
        asked = request("acme", 1, refresh=True)
        end = await analysed(ws, asked, seen)
        analysis = check_result(end, asked)
        check_frame(analysis, model_slug="acme", app_number=1, tools_used=["finder"], summary=dict)
        assert rules_of(analysis) == ["bad-three", "bad-two"], short(analysis)
        first, *rest = seen
        check_frame(first, type="status_update", correlation_id=asked["id"], data=dict)
        check_frame(first["data"], state="queued", task_id=end["data"]["task_id"])
        assert rest and all(frame["type"] == "progress_update" for frame in rest), short(rest)
        for frame in rest:
            check_frame(frame, correlation_id=asked["id"], id=UUID, timestamp=TIME)
            check_frame(
                frame["data"], analysis_id=str, stage=str, progress=(int, float), message=str, current_file=str,
                files_processed=int, total_files=int, issues_found=int,
            )
        # There is no second end, and the connection stays.
        check_frame(await ask(ws, {"type": "ping", "id": "after"}), type="pong", correlation_id="after")


@row("2 analysis_request")
async def the_old_spellings_of_a_request_are_understood(world):
    async with connect(world.url) as ws:
        for data in (
            {"model": "acme", "app_number": 1, "analysis_type": "security_python", "options": {"tools": ["FINDER"]}},
            {"model_slug": "acme", "app_number": "1", "analysis_type": "static", "timeout": 60, "priority": 3},
            {"model_slug": "acme", "app_number": 1, "source_path": str(world.apps / "acme" / "app1")},
            {"model": "ACME", "app_number": "app1", "analysis_type": "security", "tools": ["finder"]},
        ):
            asked = {"type": "analysis_request", "id": str(uuid.uuid4()), "data": data}
            assert rules_of(check_result(await analysed(ws, asked), asked)) == ["bad-three", "bad-two"]


@row("2 analysis_request")
async def an_app_that_is_not_there_ends_in_the_old_words(world):
    async with connect(world.url) as ws:
        asked = {
            "type": "analysis_request", "id": "job-2",
            "data": {"model": "nosuch", "app_number": 7, "analysis_type": "security_python", "options": {"tools": ["finder"]}},
        }
        analysis = check_result(await analysed(ws, asked), asked, "error")
    assert analysis == {
        "status": "error", "error": "Model path not found for nosuch app7 (checked flat and template structures)",
    }, analysis


@row("2 service")
async def every_old_name_of_the_static_analyzer_routes_to_it(world):
    async with connect(world.url) as ws:
        for service in ("security_analyzer", "code_quality", "dependency_scanner"):
            asked = {**request("acme", 1, tools=["finder"]), "service": service}
            del asked["data"]["analysis_type"]
            check_result(await analysed(ws, asked), asked)
        asked = {**request("acme", 1), "service": "no_such_service"}
        error = await analysed(ws, asked)
        check_frame(error, type="error", correlation_id=asked["id"])
        check_frame(error["data"], code="invalid_message", message=str)


@row("2 analysis_type")
async def every_old_type_of_a_static_analysis_routes_by_its_prefix(world):
    async with connect(world.url) as ws:
        for kind in (
            "security_python", "security_javascript", "dependency_python", "dependency_node", "code_quality_python",
            "code_quality_javascript", "static", "security",
        ):
            asked = request("acme", 1, analysis_type=kind, tools=["finder"])
            end = await analysed(ws, asked)
            check_frame(end, type="analysis_result")
            check_frame(end["data"], type="static_analysis_result", service="static-analyzer")


@row("2 analysis_type")
async def a_type_whose_service_is_not_there_is_told_at_once(world):
    async with connect(world.url) as ws:
        for kind, reply in (
            ("performance_load", "performance_analysis_result"), ("performance_stress", "performance_analysis_result"),
            ("performance", "performance_analysis_result"), ("ai_requirements_check", "ai_analysis_result"),
            ("ai_code_review", "ai_analysis_result"), ("ai", "ai_analysis_result"), ("dynamic", "dynamic_analysis_result"),
        ):
            asked = request("acme", 1, analysis_type=kind, target_url="http://localhost:9")
            end = await analysed(ws, asked)
            check_frame(end, type="analysis_result", correlation_id=asked["id"])
            check_frame(end["data"], type=reply, status="error", analysis=dict)
            analysis = check_frame(end["data"]["analysis"], model_slug="acme", app_number=1, error=str)
            check_frame(analysis, code="unavailable")


@row("2 analysis_request")
async def heartbeats_cancels_and_further_requests_are_answered_while_it_runs(world):
    async with connect(world.url) as ws:
        asked, task, pids = await hold(ws, world, 1)
        for frame, kind in (
            ({"type": "heartbeat", "id": "h"}, "heartbeat"), ({"type": "ping", "id": "p"}, "pong"),
            ({"type": "connection_ack", "id": "c"}, "connection_ack"), ({"type": "status_request", "id": "s"}, "status_update"),
            ({"type": "nonsense", "id": "n"}, "error"),
        ):
            await send(ws, frame)
            check_frame(await until(ws, answers(frame)), type=kind)
        other = request("acme", 1, refresh=True)
        check_result(await analysed(ws, other), other)
        assert all(map(lives, pids))
        await send(ws, {"type": "cancel_request", "data": {"task_id": task}})
        check_result(await until(ws, ends(asked)), asked, "cancelled")


@row("2 analysis_request")
async def heartbeats_are_answered_while_every_slot_is_busy(world):
    async with connect(world.url) as ws:
        held = [await hold(ws, world, number) for number in (1, 2)]
        waiting = request("many", 1, refresh=True)
        await send(ws, waiting)
        async with connect(world.url) as other:
            for _ in range(300):
                check_frame(await ask(other, {"type": "heartbeat"}), type="heartbeat")
        for _, task, _ in held:
            await send(ws, {"type": "cancel_request", "data": {"task_id": task}})
        check_result(await until(ws, ends(waiting)), waiting)


@row("2 analysis_request")
async def a_timeout_kills_what_runs_and_is_told(world):
    async with connect(world.url) as ws:
        asked, _, pids = await hold(ws, world, 3, timeout=3)
        check_result(await until(ws, ends(asked)), asked, "timeout")
        await wait_until(lambda: not any(map(lives, pids)))


@row("2 analysis_request")
async def sixty_apps_at_once_get_each_its_own_result(world):
    async with connect(world.url) as ws:
        asked = [request("many", number, refresh=True) for number in range(1, 61)]
        for one in asked:
            await send(ws, one)
        results = {}
        while len(results) < len(asked):
            frame = await until(ws, lambda frame: frame["type"] in ("analysis_result", "error"))
            assert frame["correlation_id"] not in results, "a second end"
            results[frame["correlation_id"]] = frame
        for number, one in enumerate(asked, 1):
            analysis = check_result(results[one["id"]], one)
            check_frame(analysis, app_number=number)
            assert rules_of(analysis) == [f"of-{number}"], short(analysis)
        # And equal to what each gets alone, but for times and ids.
        for number in (1, 17, 60):
            again = request("many", number, refresh=True)
            alone = check_result(await analysed(ws, again), again)
            together = check_result(results[asked[number - 1]["id"]], asked[number - 1])
            assert without_times(alone) == without_times(together), (short(alone), short(together))


def without_times(value):
    """A result without what differs from run to run."""
    changing = ("analysis_time", "duration", "task_id", "task", "startTimeUtc", "endTimeUtc", "guid", "id", "run")
    if isinstance(value, dict):
        return {
            key: without_times(inner) for key, inner in value.items()
            if key not in changing and not any(word in key.lower() for word in ("time", "duration", "elapsed", "_ms", "started", "ended"))
        }
    return [without_times(inner) for inner in value] if isinstance(value, list) else value


@row("2 analysis_request")
async def a_hundred_equal_requests_are_one_run_and_who_cancels_disturbs_nobody(world):
    known = world.held()
    async with connect(world.url) as one, connect(world.url) as other:
        asked = {ws: [request("held", 5, tools=["holder"], timeout=120) for _ in range(50)] for ws in (one, other)}
        for ws, requests in asked.items():
            for each in requests:
                await send(ws, each)
        tasks = set()
        for ws in asked:
            for _ in range(50):
                queued = await until(ws, lambda frame: frame["type"] == "status_update")
                tasks.add(queued["data"]["task_id"])
        assert len(tasks) == 1, tasks
        task = tasks.pop()
        pids = (await wait_until(lambda: world.held(known)))[0]
        assert all(map(lives, pids))
        await ended(one, asked[one], task)
        # It goes on for the other.
        assert all(map(lives, pids)), "who cancelled has ended the work of another"
        await ended(other, asked[other], task)
        assert not any(map(lives, pids)), "processes are left"
        assert len(world.held(known)) == 1, "it ran more than once"


async def ended(ws, asked, task):
    """Cancels a task for one client, and takes the one end of each of its requests."""
    cancel = {"type": "cancel_request", "id": "cancel", "data": {"task_id": task}}
    await send(ws, cancel)
    open_ids, is_answered = {each["id"] for each in asked}, False
    while open_ids or not is_answered:
        frame = await receive(ws)
        if answers(cancel)(frame):
            check_frame(frame["data"], state="cancelled", task_id=task)
            is_answered = True
        elif frame["type"] == "analysis_result":
            check_frame(frame["data"], status="cancelled")
            open_ids.remove(frame["correlation_id"])
        else:
            check_frame(frame, type="progress_update")


# === cancel ===


@row("2 cancel_request")
async def a_cancel_kills_the_processes_and_the_request_ends_cancelled(world):
    for by in ("task_id", "correlation_id"):
        async with connect(world.url) as ws:
            asked, task, pids = await hold(ws, world, 4)
            data = {"task_id": task} if by == "task_id" else {"correlation_id": asked["id"]}
            cancel = {"type": "cancel_request", "id": "c-" + by, "data": data}
            await send(ws, cancel)
            seen = []
            state = await until(ws, answers(cancel), seen)
            assert not any(map(lives, pids)), "processes are left"
            check_frame(state, type="status_update")
            check_frame(state["data"], state="cancelled", task_id=task)
            before = [frame for frame in seen if ends(asked)(frame)]
            end = before[0] if before else await until(ws, ends(asked))
            check_result(end, asked, "cancelled")
            await send(ws, cancel)
            state = await until(ws, answers(cancel))
            check_frame(state["data"], state="already_finished", task_id=task)
            check_frame(await ask(ws, {"type": "ping", "id": "last"}), type="pong", correlation_id="last")


@row("2 cancel_request")
async def a_cancel_of_nothing_says_not_found(world):
    async with connect(world.url) as ws:
        for data in ({"task_id": "nothing"}, {"correlation_id": "nothing"}):
            state = await ask(ws, {"type": "cancel_request", "id": "c", "data": data})
            check_frame(state, type="status_update", correlation_id="c")
            check_frame(state["data"], state="not_found")


@row("2 cancel_request")
async def of_equal_requests_on_one_connection_the_named_one_is_cancelled(world):
    async with connect(world.url) as ws:
        asked = [request("held", 5, tools=["holder"], timeout=60) for _ in range(3)]
        tasks = set()
        for one in asked:
            await send(ws, one)
            queued = await until(ws, answers(one))
            tasks.add(queued["data"]["task_id"])
        assert len(tasks) == 1, tasks
        await send(ws, {"type": "cancel_request", "data": {"correlation_id": asked[1]["id"]}})
        end = await until(ws, lambda frame: frame["type"] == "analysis_result")
        check_result(end, asked[1], "cancelled")
        await send(ws, {"type": "cancel_request", "data": {"task_id": tasks.pop()}})
        rest = {(await until(ws, lambda frame: frame["type"] == "analysis_result"))["correlation_id"] for _ in range(2)}
        assert rest == {asked[0]["id"], asked[2]["id"]}, rest


# === batch ===


@row("2 batch_request")
async def a_batch_of_requests_or_of_apps_tells_its_progress_and_ends_once(world):
    of_requests = {"requests": [{"model": "many", "app_number": n, "analysis_type": "security_python"} for n in (1, 2, 3)]}
    of_apps = {"apps": [["many", 1], ["many", 2], ["nosuch", 3]], "analysis_type": "security_python"}
    async with connect(world.url) as ws:
        for data, status, succeeded in ((of_requests, "success", 3), (of_apps, "partial", 2)):
            asked, seen = {"type": "batch_request", "id": str(uuid.uuid4()), "data": data}, []
            end = await analysed(ws, asked, seen)
            check_frame(end, type="batch_result", correlation_id=asked["id"], id=UUID, timestamp=TIME, data=dict)
            check_frame(end["data"], status=status, total=3, succeeded=succeeded, results=list, task_id=str)
            assert [frame["type"] for frame in seen].count("progress_update") >= 3, short(seen)
            for number, item in enumerate(end["data"]["results"][:2], 1):
                check_frame(item, model_slug="many", app_number=number, status="success", result=dict)
                assert rules_of(item["result"]["analysis"]) == [f"of-{number}"], short(item)


# === what is refused ===


@row("2 anything else")
async def text_that_is_no_json_is_an_error_and_the_connection_stays(world):
    async with connect(world.url) as ws:
        for text in ("invalid json {]", "", "{", "[1,"):
            error = await ask(ws, text)
            check_frame(error, type="error", id=UUID, timestamp=TIME, data=dict)
            check_frame(error["data"], code="invalid_json", message=str)
        check_frame(await ask(ws, {"type": "ping"}), type="pong")


@row("2 anything else")
async def what_is_no_request_is_an_error_with_its_code(world):
    async with connect(world.url) as ws:
        for frame, code in (
            ([], "invalid_message"), ({}, "unknown_type"), ({"type": "sing"}, "unknown_type"),
            ({"type": "analysis_request", "data": {}}, "invalid_message"),
            ({"type": "analysis_request", "data": 5}, "invalid_message"),
            ({"type": "analysis_request", "data": {"model": "acme", "app_number": "x"}}, "invalid_message"),
            ({"type": "batch_request", "data": {}}, "invalid_message"),
            ({"type": "cancel_request", "data": {}}, "invalid_message"),
            ({"type": "service_register", "data": {}}, "invalid_message"),
            ({"type": "analysis_result"}, "unsupported"), ({"type": "batch_result"}, "unsupported"),
            ({"type": "status_update"}, "unsupported"), ({"type": "error"}, "unsupported"),
        ):
            if isinstance(frame, dict) and frame:
                frame = {**frame, "id": "bad"}
            error = await ask(ws, frame)
            check_frame(error, type="error", data=dict)
            check_frame(error["data"], code=code, message=str)
            if isinstance(frame, dict) and frame:
                check_frame(error, correlation_id="bad")
                check_frame(error["data"], correlation_id="bad")
        check_frame(await ask(ws, {"type": "ping"}), type="pong")


@row("2 path_not_allowed")
async def nothing_outside_of_the_source_roots_is_reached(world):
    outside = world.root / "outside"
    (outside / "secret.py").write_text("password = 'hunter2'\n")
    link = world.apps / "linked"
    if not link.exists():
        link.mkdir()
        (link / "app1").symlink_to(outside)
    async with connect(world.url) as ws:
        for path in ("../../etc", "/etc", "/", str(outside), str(world.apps / "acme" / "../../../.."), str(link / "app1"), "../outside"):
            asked = request("acme", 1, source_path=path)
            error = await analysed(ws, asked)
            check_frame(error, type="error", correlation_id=asked["id"])
            check_frame(error["data"], code="path_not_allowed", message=str)
            assert str(world.root) not in json.dumps(error), error
        asked = request("linked", 1)
        error = await analysed(ws, asked)
        check_frame(error["data"], code="path_not_allowed")
        for model in ("../../../outside", str(outside), "..", "../acme"):
            asked = request(model, 1)
            end = await analysed(ws, asked)
            text = json.dumps(end)
            assert "hunter2" not in text and "success" not in text, text


@row("4 rate limit")
async def a_flood_is_limited_and_told_when_to_come_back(world):
    # A client is its address: this one floods, the others do not notice.
    async with connect(world.url, local_addr=("127.0.0.9", 0)) as flood, connect(world.url) as other:
        asked = [request("nosuch", number) for number in range(1, 2_001)]
        for one in asked:
            await send(flood, one)
        codes, got = [], set()
        while len(got) < len(asked):
            frame = await until(flood, lambda frame: frame["type"] in ("analysis_result", "error"))
            assert frame["correlation_id"] not in got, "a second end"
            got.add(frame["correlation_id"])
            if frame["type"] == "error":
                codes.append(frame["data"]["code"])
                if codes[-1] == "rate_limited":
                    check_frame(frame["data"], retry_after_ms=int, message=str)
                    assert frame["data"]["retry_after_ms"] > 0, frame
        limited = codes.count("rate_limited")
        # The burst was let through, and of the rest what came faster than the rate was not.
        assert 0 < limited <= len(asked) - 600, f"{limited} of {len(asked)} were limited"
        # What costs nothing is never limited.
        for kind in ("heartbeat", "ping", "status_request"):
            frame = await ask(flood, {"type": kind})
            assert frame["type"] != "error", frame
        frame = await ask(flood, {"type": "cancel_request", "data": {"task_id": "nothing"}})
        check_frame(frame["data"], state="not_found")
        asked = request("acme", 1)
        check_result(await analysed(other, asked), asked)


