"""Who gets in: addresses, tokens, the sizes of frames, and keep-alive, as section 1 and the head of the protocol have it."""

import asyncio, contextlib, json, logging, time

import websockets

from old_client import ask, check_frame, closed, connect, receive, send
from rows import row
from servers import World

TOKEN = "a-secret-of-the-suite"
MIB = 1 << 20


@contextlib.asynccontextmanager
async def stage(binary):
    open_world, guarded = World(), World()
    try:
        open_world.app("acme", 1)
        args = ["serve", "--listen", "127.0.0.1:0", "--no-service-ports"]
        world = open_world
        world.binary, world.guarded = binary, guarded
        server = await asyncio.to_thread(world.start, binary, args)
        locked = await asyncio.to_thread(guarded.start, binary, args, {"ASSAY_TOKEN": TOKEN})
        service = await asyncio.to_thread(world.start, binary, ["service", "static", "--listen", "127.0.0.1:0"])
        world.url, guarded.url, world.service_url = server.url, locked.url, service.url
        yield world
    finally:
        await asyncio.to_thread(open_world.close)
        await asyncio.to_thread(guarded.close)


async def status_of(opening):
    """The HTTP status by which a connection was refused."""
    try:
        async with opening:
            return 101
    except websockets.InvalidHandshake as why:
        return why.response.status_code if hasattr(why, "response") else why.status_code


@row("0 addresses")
async def another_address_than_this_machine_needs_a_token(world):
    for args in (["serve", "--listen", "0.0.0.0:0"], ["service", "static", "--listen", "0.0.0.0:0"]):
        code, said = await asyncio.to_thread(world.says, world.binary, args)
        assert code == 2 and "ASSAY_TOKEN" in said, (code, said)


@row("0 tokens")
async def a_token_is_shown_in_a_header_or_in_the_url(world):
    url = world.guarded.url
    for opening in (connect(url), connect(url + "/?token=wrong"), connect(url, headers={"Authorization": "Bearer wrong"})):
        assert await status_of(opening) == 401
    for opening in (connect(url + "/?token=" + TOKEN), connect(url, headers={"Authorization": "Bearer " + TOKEN})):
        async with opening as ws:
            check_frame(await ask(ws, {"type": "heartbeat"}), type="heartbeat")
    assert TOKEN not in world.guarded.servers[0].said


@row("0 frames")
async def anybody_s_frame_has_one_mebibyte_and_what_is_longer_ends_the_connection(world):
    for url in (world.url, world.service_url):
        async with connect(url) as ws:
            frame = json.dumps({"type": "ping", "padding": ""})
            fits = json.dumps({"type": "ping", "padding": "x" * (MIB - len(frame))})
            assert len(fits) == MIB
            check_frame(await ask(ws, fits), type="pong")
            with contextlib.suppress(websockets.ConnectionClosed):
                await send(ws, fits[:-2] + 'x"}')
            code, _ = await closed(ws)
            assert code == 1009, code


@row("0 frames")
async def a_trusted_peer_s_frame_may_be_large(world):
    async with connect(world.guarded.url + "/?token=" + TOKEN) as ws:
        check_frame(await ask(ws, {"type": "ping", "padding": "x" * (20 * MIB)}), type="pong")


@row("0 frames")
async def binary_frames_are_refused(world):
    async with connect(world.url) as ws:
        with contextlib.suppress(websockets.ConnectionClosed):
            await ws.send(b'{"type":"ping"}')
        code, _ = await closed(ws)
        assert code == 1003, code


@row("0 keep-alive")
async def a_silent_client_is_asked_whether_it_is_there_and_stays(world):
    heard = []

    class Ear(logging.Handler):
        def emit(self, record):
            heard.append(record.getMessage())

    logger = logging.getLogger("conformance.silent")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(Ear())
    async with connect(world.url, logger=logger, ping_interval=None) as ws, connect(world.service_url, ping_interval=None) as other:
        end = time.monotonic() + 60
        while not any(line.startswith("< PING") for line in heard):
            assert time.monotonic() < end, "no ping comes"
            await asyncio.sleep(0.05)
        check_frame(await ask(ws, {"type": "heartbeat"}), type="heartbeat")
        check_frame(await ask(other, {"type": "ping"}), type="pong")


@row("0 keep-alive")
async def pings_of_the_library_are_answered(world):
    for url in (world.url, world.service_url):
        async with connect(url) as ws:
            for _ in range(20):
                await asyncio.wait_for(await ws.ping(), 10)
            await ws.close()
            assert ws.close_code == 1000, ws.close_code
