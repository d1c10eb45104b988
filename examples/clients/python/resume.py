"""Begins an analysis under a name of its own, loses the connection, and comes back for the result.

usage: python resume.py ws://localhost:8765 MODEL APP [--tools A,B]
"""

import asyncio, sys, uuid

from gateway import Gateway, arguments


# [resume]
async def lose_and_resume(url, token, model, app, tools):
    task = f"mine-{uuid.uuid4()}"  # letters, digits, `-` and `_`; the same name is the same work
    begun = {"tools": tools, "task_id": task, "detach": True}  # detached work goes on when nobody is connected

    first = Gateway(url, token)
    async with first as gateway:
        accepted = asyncio.Event()
        analysing = asyncio.create_task(gateway.analyze(model, app, lambda step: accepted.set(), **begun))
        await accepted.wait()  # from here on it is on the gateway's disk
        first.ws.transport.abort()  # the network breaks
        await asyncio.gather(analysing, return_exceptions=True)

    async with Gateway(url, token) as gateway:
        known = await gateway.task(task)
        if known["state"] == "finished":
            return known["result"]
        # It still runs: asking again under its name joins it, and tells its progress from the beginning. Should it
        # have ended meanwhile, the answer is its result.
        return await gateway.analyze(model, app, **begun)
# [end]


if __name__ == "__main__":
    words = arguments(__doc__, "model", "app")
    result = asyncio.run(lose_and_resume(words.url, words.token, words.model, words.app, words.tools))
    print(f"{result['task_id']}: {result['status']}")
    sys.exit(result["status"] != "success")
