"""The programs of the integrator's guide, as its readers would start them: each a process of its own, over `assay serve`."""

import asyncio, contextlib, pathlib, sys

from old_client import connect, ends, request, send, until
from rows import row
from servers import LONG, World

PROGRAMS = pathlib.Path(__file__).resolve().parent.parent / "examples" / "clients" / "python"
TOKEN = "open-sesame"


@contextlib.asynccontextmanager
async def stage(binary):
    world = World({"serve": {"slots": 4}})
    try:
        world.app("acme", 1, [(2, "high", "bad-two"), (3, "low", "bad-three")])
        world.app("acme", 2)
        world.app("held", 1)
        args = ["serve", "--listen", "127.0.0.1:0", "--no-service-ports"]
        # All of them show a token.
        world.gateway = await asyncio.to_thread(world.start, binary, args, {"ASSAY_TOKEN": TOKEN})
        world.url = world.gateway.url
        yield world
    finally:
        await asyncio.to_thread(world.close)


@contextlib.asynccontextmanager
async def begun(world, program, *words):
    """Starts a program, which is stopped at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(PROGRAMS / program), world.url, *words, "--token", TOKEN,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def ran(world, program, *words):
    """Runs a program to its end. Returns its exit code and what it printed."""
    async with begun(world, program, *words) as process:
        said, complaints = await asyncio.wait_for(process.communicate(), LONG)
        assert not complaints, complaints.decode()
        return process.returncode, said.decode()


async def line(process):
    said = await asyncio.wait_for(process.stdout.readline(), LONG)
    return said.decode().strip()


def same(found, wanted):
    assert found == wanted, f"{found!r}, wanted is {wanted!r}"


@row("guide analyze.py")
async def an_app_is_analysed_and_its_steps_are_shown(world):
    code, said = await ran(world, "analyze.py", "acme", "1")
    lines = said.splitlines()
    same((code, lines[-2:]), (0, ["success: 2 findings", "  finder: success, 2"]))
    assert lines[0].startswith("queued as ") and any("%" in each for each in lines), said
    code, said = await ran(world, "analyze.py", "acme", "2", "--tools", "breaker")
    same((code, said.splitlines()[-2:]), (1, ["error: 0 findings", "  breaker: error, 0"]))


@row("guide cancel.py")
async def a_task_is_cancelled_by_its_name(world):
    code, said = await ran(world, "cancel.py", "held", "1", "--tools", "holder")
    same((code, said), (0, "the cancel says cancelled, the analysis ended with cancelled\n"))


@row("guide stats.py")
async def the_statistics_are_shown(world):
    code, said = await ran(world, "stats.py")
    assert code == 0 and "active: 0 of 50" in said and "Circuit breakers open: 0 of 1" in said, said


@row("guide resume.py")
async def a_lost_connection_loses_no_result(world):
    code, said = await ran(world, "resume.py", "acme", "2")
    assert code == 0 and said.startswith("mine-") and said.endswith(": success\n"), said


@row("guide events.py")
async def a_subscriber_is_shown_what_happens(world):
    async with begun(world, "events.py", "1") as process:
        same(await line(process), "subscribed")
        same((await ran(world, "analyze.py", "acme", "1"))[0], 0)
        said, _ = await asyncio.wait_for(process.communicate(), LONG)
        same(process.returncode, 0)
        assert said.decode().strip().endswith(": success"), said


@row("guide pool.py")
async def callers_beyond_the_limit_wait_and_do_not_fail(world):
    code, said = await ran(world, "pool.py", "120")
    assert code == 0 and said.startswith("120 of 120 were answered, over at most 50 connections at once"), said
    assert "'active_connections': 0" in said, said


@row("guide service.py")
async def a_service_of_ones_own_gets_work_until_it_leaves(world):
    asked = {"analysis_type": "performance_load", "target_url": "http://127.0.0.1:9"}
    async with connect(world.url, {"Authorization": f"Bearer {TOKEN}"}) as ws:
        async with begun(world, "service.py") as process:
            same(await line(process), "registered: True")
            wanted = request("acme", 1, **asked)
            await send(ws, wanted)
            end = await until(ws, ends(wanted))
            same(end["data"]["analysis"]["verdict"], "quick")
            same(end["data"]["type"], "performance_analysis_result")
        # It has left with its connection.
        for _ in range(100):
            wanted = request("acme", 2, **asked)
            await send(ws, wanted)
            end = await until(ws, ends(wanted))
            if end["data"].get("status") == "error":
                break
        same(end["data"]["analysis"]["code"], "unavailable")
