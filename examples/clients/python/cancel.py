"""Begins an analysis, and cancels it by the name of its task.

usage: python cancel.py ws://localhost:8765 MODEL APP [--tools A,B]
"""

import asyncio

from gateway import Gateway, arguments


# [cancel]
async def begin_and_cancel(url, token, model, app, tools):
    async with Gateway(url, token) as gateway:
        accepted = asyncio.Future()

        def tell(step):
            if step.get("state") == "queued":
                accepted.set_result(step["task_id"])

        analysing = asyncio.create_task(gateway.analyze(model, app, tell, tools=tools))
        await asyncio.wait([analysing, accepted], return_when=asyncio.FIRST_COMPLETED)
        if analysing.done():
            return analysing.result()["status"], None  # it was refused, or is shared with another's that has ended
        # On the same connection, while the analysis runs. Any other would do as well.
        state = await gateway.cancel(accepted.result())
        result = await analysing  # the one result comes all the same, with what was found until then
        return result["status"], state
# [end]


if __name__ == "__main__":
    words = arguments(__doc__, "model", "app")
    status, state = asyncio.run(begin_and_cancel(words.url, words.token, words.model, words.app, words.tools))
    print(f"the cancel says {state}, the analysis ended with {status}")
