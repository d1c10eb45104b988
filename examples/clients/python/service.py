"""A service of your own behind a gateway: it registers as a replica, and gets work.

It is a performance tester that asks nobody and finds every app quick.

usage: python service.py ws://localhost:8765
"""

import asyncio, json

import websockets

from gateway import Gateway, arguments

NAME = "performance-tester"


# [service]
async def serve(ws, *_):
    """One connection of the gateway. Everything is answered at once, also while an analysis runs."""
    running = {}
    try:
        async for message in ws:
            frame = json.loads(message)
            task = frame.get("task_id")
            if frame["type"] == "ping":  # asked before a connection that idled is used again
                await ws.send(json.dumps({"type": "pong", "service": NAME}))
            elif frame["type"] == "cancel_request":
                state = "cancelled" if task in running else "not_found"
                if task in running:
                    running[task].cancel()
                    await asyncio.gather(running[task], return_exceptions=True)  # `cancelled` is said when nothing runs any more
                data = {"state": state, "task_id": task}
                await ws.send(json.dumps({"type": "status_update", "service": NAME, "data": data}))
            elif frame["type"] in ("performance_test", "performance_analysis", "analysis_request"):
                running[task] = asyncio.create_task(analyse(ws, frame))
            else:
                message = f"Unknown message type: {frame['type']}"
                await ws.send(json.dumps({"type": "error", "code": "unknown_type", "message": message, "service": NAME}))
    finally:
        for one in running.values():
            one.cancel()  # the gateway is gone: nobody waits for these


async def analyse(ws, request):
    reply = {"type": "performance_analysis_result", "service": NAME, "task_id": request["task_id"], "analysis": {}}
    try:
        within = request["deadline_ms"] / 1000  # what is left of the caller's time: answer by then
        reply["analysis"] = await asyncio.wait_for(measure(request), within)
        reply["status"] = "success"
    except asyncio.CancelledError:
        reply["status"] = "cancelled"
    except asyncio.TimeoutError:
        reply["status"] = "timeout"
    await ws.send(json.dumps(reply))


async def measure(request):
    await asyncio.sleep(0)
    return {"model_slug": request["model_slug"], "app_number": request["app_number"], "tools_used": ["guess"], "verdict": "quick"}
# [end]


# [register]
async def register(url, token):
    async with websockets.serve(serve, "127.0.0.1", 0, subprotocols=["assay.v1"], max_size=100 << 20) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with Gateway(url, token) as gateway:
            replica = {"service_type": "performance_tester", "service_id": "mine", "url": f"ws://127.0.0.1:{port}"}
            answer = await gateway.ask("service_register", replica)
            print(f"registered: {answer['registered']}", flush=True)
            # The replica leaves with this connection.
            await gateway.reader
# [end]


if __name__ == "__main__":
    words = arguments(__doc__)
    asyncio.run(register(words.url, words.token))
