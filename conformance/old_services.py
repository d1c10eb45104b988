"""Old services behind the gateway: written with the same library, they speak as those of the Python system did."""

import asyncio, contextlib, datetime, json, uuid

import websockets

from old_client import TIME, analysed, answers, ask, check_frame, connect, ends, request, send, short, until, wait_until
from rows import row
from servers import World

CAP = 50


class OldService:
    """A static analyzer as it was: it says nothing of tasks or subprotocols, and closes after its reply."""

    def __init__(self):
        self.open = self.calls = 0
        self.total = None
        self.manner = "answers"
        self.heard = []
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def __aenter__(self):
        self.server = await websockets.serve(self.serve, "127.0.0.1", 0, ping_interval=None, max_size=100 << 20)
        self.url = f"ws://127.0.0.1:{next(iter(self.server.sockets)).getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self.go_on.set()
        self.server.close()
        await self.server.wait_closed()

    async def serve(self, ws, *_):
        self.count(1)
        try:
            with contextlib.suppress(websockets.ConnectionClosed):
                async for message in ws:
                    frame = json.loads(message)
                    if frame["type"] in ("ping", "health_check"):
                        await ws.send(json.dumps({"type": "pong", "service": "static-analyzer"}))
                    elif frame["type"] == "cancel_request":
                        await ws.send(json.dumps({"type": "error", "message": "Unknown message type: cancel_request", "service": "static-analyzer"}))
                    else:
                        await self.answer(ws, frame)
                        # `async with` of the old server's handler ends here.
                        return
        finally:
            self.count(-1)

    def count(self, change):
        self.open += change
        if self.total:
            self.total.count(change)

    async def answer(self, ws, frame):
        self.calls += 1
        self.heard.append(frame)
        if self.manner == "breaks":
            return
        if self.manner == "complains":
            await ws.send(json.dumps({"type": "error", "message": "Internal error: no disk", "service": "static-analyzer"}))
            return
        now = datetime.datetime.now().isoformat()
        await ws.send(json.dumps({
            "type": "progress_update", "stage": "scanning", "message": "half", "service": "static-analyzer",
            "correlation_id": frame.get("id", ""), "timestamp": now,
            "data": {"stage": "scanning", "progress": 0.5, "message": "half", "current_file": "a.py", "files_processed": 1, "total_files": 2, "issues_found": 0},
        }))
        await self.go_on.wait()
        await ws.send(json.dumps({
            "type": "static_analysis_result", "status": "success", "service": "static-analyzer",
            "analysis": {
                "model_slug": frame["model_slug"], "app_number": frame["app_number"], "tools_used": ["bandit"],
                "summary": {"total_issues_found": 3}, "results": {"python": {"bandit": {"tool": "bandit", "status": "success", "total_issues": 3}}},
            },
            "timestamp": now,
        }))


@contextlib.asynccontextmanager
async def stage(binary):
    world = World({"serve.breaker": {"failures": 5, "open-for": "1s", "successes": 3}})
    try:
        for number in range(1, 201):
            world.app("acme", number)
        async with OldService() as old:
            world.old, world.binary = old, binary
            # The old name says where the service is.
            variables = {"STATIC_ANALYZER_URL": old.url}
            args = ["serve", "--listen", "127.0.0.1:0", "--no-service-ports"]
            world.gateway = await asyncio.to_thread(world.start, binary, args, variables)
            world.url = world.gateway.url
            yield world
            # It goes first: who serves waits for those who are connected.
            await asyncio.to_thread(world.gateway.close)
    finally:
        await asyncio.to_thread(world.close)


@row("2 status_request")
async def a_configured_service_is_told_by_its_url(world):
    async with connect(world.url) as ws:
        frame = await ask(ws, {"type": "status_request"})
    services = frame["data"]["services"]
    assert services["security_analyzer"] == services["code_quality"] == world.old.url, services


@row("1 static_analyze")
async def an_old_service_is_asked_in_words_that_it_knows_and_its_reply_is_passed_on(world):
    world.old.heard.clear()
    async with connect(world.url) as ws:
        asked = request("acme", 1, tools=["bandit"])
        end = await analysed(ws, asked)
    check_frame(end, type="analysis_result", correlation_id=asked["id"])
    data = check_frame(end["data"], type="static_analysis_result", status="success", service="static-analyzer", analysis=dict)
    check_frame(data["analysis"], model_slug="acme", app_number=1, summary={"total_issues_found": 3})
    heard = world.old.heard[0]
    check_frame(heard, type="static_analyze", model_slug="acme", app_number=1, tools=["bandit"], id=str, timestamp=TIME)


@row("4 fifty connections")
async def never_more_than_fifty_connections_are_open_to_services(world):
    # Of a service that does not say how much it takes, each replica is given a few at a time.
    async with contextlib.AsyncExitStack() as all_of_them:
        replicas = [await all_of_them.enter_async_context(OldService()) for _ in range(10)]
        total = Total(replicas)
        crowd = World()
        all_of_them.push_async_callback(asyncio.to_thread, crowd.close)
        for number in range(1, 201):
            crowd.app("acme", number)
        variables = {"STATIC_ANALYZER_URLS": ",".join(replica.url for replica in replicas)}
        args = ["serve", "--listen", "127.0.0.1:0", "--no-service-ports"]
        gateway = await asyncio.to_thread(crowd.start, world.binary, args, variables)
        total.hold()
        async with connect(gateway.url) as ws:
            asked = [request("acme", number, tools=["bandit"], timeout=120) for number in range(1, 201)]
            for one in asked:
                await send(ws, one)
            await wait_until(lambda: total.open >= CAP)
            # The services have seen all of them; the gateway may still be shaking hands with some.
            pool = (await status(ws))["pool"]
            for _ in range(1000):
                if pool["active_connections"] >= CAP:
                    break
                await asyncio.sleep(0.02)
                pool = (await status(ws))["pool"]
            check_frame(pool, active_connections=CAP, max_concurrent_connections=CAP)
            total.go_on()
            got = {}
            while len(got) < len(asked):
                frame = await until(ws, lambda frame: frame["type"] in ("analysis_result", "error"))
                assert frame["correlation_id"] not in got, "a second end"
                got[frame["correlation_id"]] = frame
        for number, one in enumerate(asked, 1):
            check_frame(got[one["id"]]["data"], status="success")
            check_frame(got[one["id"]]["data"]["analysis"], app_number=number)
        assert total.most_open <= CAP, f"{total.most_open} were open at once"
        assert total.calls == len(asked), f"{total.calls} calls for {len(asked)} requests"
        await asyncio.to_thread(gateway.close)


class Total:
    """Connections of several services together."""

    def __init__(self, replicas):
        self.replicas, self.open, self.most_open = replicas, 0, 0
        for replica in replicas:
            replica.total = self

    @property
    def calls(self):
        return sum(replica.calls for replica in self.replicas)

    def count(self, change):
        self.open += change
        self.most_open = max(self.most_open, self.open)

    def hold(self):
        for replica in self.replicas:
            replica.go_on.clear()

    def go_on(self):
        for replica in self.replicas:
            replica.go_on.set()


async def status(ws):
    asked = {"type": "status_request", "id": "s-" + uuid.uuid4().hex}
    await send(ws, asked)
    return (await until(ws, answers(asked)))["data"]


@row("2 error")
async def the_complaint_of_a_service_is_told_and_is_no_success(world):
    world.old.manner = "complains"
    try:
        async with connect(world.url) as ws:
            end = await analysed(ws, request("acme", 2, tools=["complaint"]))
    finally:
        world.old.manner = "answers"
    text = json.dumps(end)
    assert end["type"] == "error" or end["data"]["status"] == "error", text
    assert "no disk" in text, text


@row("4 breaker")
async def a_breaker_opens_after_failures_in_a_row_and_closes_after_successes(world):
    old = world.old
    async with connect(world.url) as ws:
        # Whatever came before, it begins closed.
        async def served():
            while True:
                end = await analysed(ws, request("acme", 3, tools=["warm-" + uuid.uuid4().hex[:8]]))
                states = {breaker["state"] for breaker in (await status(ws))["breakers"]}
                if end["type"] == "analysis_result" and states == {"closed"}:
                    return
                await asyncio.sleep(0.1)

        await asyncio.wait_for(served(), 60)
        old.manner = "breaks"
        try:
            codes = []
            for number in range(40):
                end = await analysed(ws, request("acme", 4, tools=[f"broken-{number}"]))
                fault = check_frame(end["data"], status="error")["analysis"]
                codes.append(fault["code"])
                if codes[-1] == "circuit_open":
                    assert fault["retry_after_ms"] > 0, short(end)
                    break
            assert codes[-1] == "circuit_open", codes
            calls = old.calls
            end = await analysed(ws, request("acme", 4, tools=["while-open"]))
            assert old.calls == calls, "a call was made through an open breaker"
            states = {breaker["state"] for breaker in (await status(ws))["breakers"]}
            assert "open" in states, states
        finally:
            old.manner = "answers"
        await asyncio.wait_for(served(), 60)


@row("2 service_register")
async def a_replica_joins_the_balancer_and_leaves_with_its_connection(world):
    async with OldService() as replica, connect(world.url) as ws:
        service_id = "replica-" + uuid.uuid4().hex[:8]
        frame = {
            "type": "service_register", "id": "reg",
            "data": {"service_type": "code_quality", "service_id": service_id, "url": replica.url, "version": "1.0.0", "capabilities": ["bandit"]},
        }

        async def called(tag):
            for number in range(100, 160):
                end = await analysed(ws, request("acme", number, tools=[f"{tag}-{number}"]))
                check_frame(end["data"], status="success")

        for leaves in ("by unregistering", "by closing"):
            async with connect(world.url) as registrar:
                reply = await ask(registrar, frame)
                check_frame(reply, type="status_update", correlation_id="reg", data=dict)
                check_frame(reply["data"], registered=True, service_id=service_id)
                before = replica.calls
                await called("joined-" + leaves[3])
                assert replica.calls > before, "it is given no work"
                if leaves == "by unregistering":
                    gone = await ask(registrar, {"type": "service_unregister", "data": {"service_id": service_id}})
                    check_frame(gone["data"], registered=False, service_id=service_id)
                else:
                    await registrar.close()
                async def parted():
                    while len((await status(ws))["breakers"]) > 1 and any(
                        breaker["url"] == replica.url and not breaker["draining"] for breaker in (await status(ws))["breakers"]
                    ):
                        await asyncio.sleep(0.05)
                await asyncio.wait_for(parted(), 30)
                before = replica.calls
                await called("parted-" + leaves[3])
                assert replica.calls == before, "it is still given work"


@row("2 service_register")
async def what_is_no_service_is_not_registered(world):
    async with connect(world.url) as ws:
        for data in (
            {"service_type": "gateway", "service_id": "g", "url": "ws://localhost:1"},
            {"service_type": "code_quality", "service_id": "g", "url": "http://localhost:1"},
        ):
            reply = await ask(ws, {"type": "service_register", "data": data})
            check_frame(reply, type="status_update")
            check_frame(reply["data"], registered=False, message=str)


@row("2 cancel_request")
async def a_cancel_ends_a_request_whose_service_knows_no_cancel(world):
    world.old.go_on.clear()
    try:
        async with connect(world.url) as ws:
            asked = request("acme", 5, tools=["cancelled"], timeout=60)
            await send(ws, asked)
            calls = world.old.calls
            await wait_until(lambda: world.old.open > 0 and world.old.calls >= calls)
            cancel = {"type": "cancel_request", "id": "c", "data": {"correlation_id": asked["id"]}}
            await until(ws, answers(asked))
            await send(ws, cancel)
            states = []
            while len(states) < 2:
                frame = await until(ws, lambda frame: answers(cancel)(frame) or ends(asked)(frame))
                states.append(frame["data"].get("state") or frame["data"]["status"])
            assert states.count("cancelled") == 2, states
    finally:
        world.old.go_on.set()
