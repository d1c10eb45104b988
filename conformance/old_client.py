"""Clients as they were written for the Python system, in the versions of the library that they use.

They ask for no subprotocol, read a service until it closes, and set nothing but the URL.
"""

import asyncio, contextlib, json, re, uuid

import websockets

from servers import LONG

VERSION = int(websockets.__version__.split(".")[0])

# The first system wrote times without an offset. Its clients compare them with `datetime.now()`, which Python
# refuses to do with a time that has one.
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?$")

# How the clients of this run keep alive: as the old ones, or as those do that leave the defaults on, only quicker.
KEEP_ALIVE = {"off": {"ping_interval": None}, "on": {"ping_interval": 0.2, "ping_timeout": 20}}
keep_alive = "off"


def connect(url, headers=None, **more):
    """What `async with` takes."""
    if headers:
        more["extra_headers" if VERSION < 14 else "additional_headers"] = headers
    more = {**KEEP_ALIVE[keep_alive], "max_size": 100 << 20, "open_timeout": 30, **more}
    return websockets.connect(url, **more)


async def receive(ws):
    frame = await asyncio.wait_for(ws.recv(), LONG)
    assert isinstance(frame, str), f"no text frame: {frame!r}"
    return json.loads(frame)


async def send(ws, frame):
    await ws.send(frame if isinstance(frame, str) else json.dumps(frame))


async def ask(ws, frame):
    """Sends one frame and takes the next that comes."""
    await send(ws, frame)
    return await receive(ws)


async def until(ws, wanted, seen=None):
    """Takes frames until one fits, and returns that; what came before is kept in `seen`."""
    while True:
        frame = await receive(ws)
        if wanted(frame):
            return frame
        if seen is not None:
            seen.append(frame)


async def ask_service(url, request):
    """One question to a service, as every old client put it. Returns the frames, the close code and its words."""
    frames = []
    async with connect(url) as ws:
        await send(ws, request)

        async def read():
            async for message in ws:
                frames.append(json.loads(message))

        await asyncio.wait_for(read(), LONG)
        return frames, ws.close_code, ws.close_reason


def request(model, number, fresh=True, **data):
    """An `analysis_request` for the gateway."""
    data = {"model": model, "app_number": number, "analysis_type": "security_python", **data}
    return {"type": "analysis_request", "id": str(uuid.uuid4()) if fresh else "", "data": data}


def answers(asked):
    """Whether a frame is an answer to this request."""
    return lambda frame: frame.get("correlation_id") == asked["id"]


def ends(asked):
    """Whether a frame is the end of this request."""
    return lambda frame: frame.get("correlation_id") == asked["id"] and frame["type"] in ("analysis_result", "batch_result", "error")


async def analysed(ws, asked, seen=None):
    """Has an app analysed. Returns the end."""
    await send(ws, asked)
    return await until(ws, ends(asked), seen)


def check_frame(frame, **wanted):
    """Holds a frame against what the protocol says of it: a value, a type, or a pattern for each field."""
    for field, want in wanted.items():
        assert field in frame, f"`{field}` is missing in {short(frame)}"
        found = frame[field]
        if isinstance(want, (type, tuple)):
            is_right = isinstance(found, want) and (want is bool or not isinstance(found, bool))
        elif isinstance(want, re.Pattern):
            is_right = isinstance(found, str) and bool(want.match(found))
        else:
            is_right = found == want
        assert is_right, f"`{field}` is {found!r}, wanted is {want!r}, in {short(frame)}"
    return frame


def short(value):
    text = json.dumps(value)
    return text if len(text) < 1500 else text[:1500] + " …"


async def closed(ws):
    """Reads until the server has closed. Returns the code and the words."""
    with contextlib.suppress(websockets.ConnectionClosed):
        while True:
            await asyncio.wait_for(ws.recv(), LONG)
    return ws.close_code, ws.close_reason


async def wait_until(condition):
    """Waits for something outside of the connection. Returns what it became."""
    for _ in range(LONG * 50):
        found = condition()
        if found:
            return found
        await asyncio.sleep(0.02)
    raise AssertionError("what is waited for does not happen")
