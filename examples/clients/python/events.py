"""Follows everything that a gateway does, until so many tasks have ended.

usage: python events.py ws://localhost:8765 ENDS
"""

import asyncio

from gateway import Gateway, arguments, line


# [events]
async def follow(url, token, ends):
    async with Gateway(url, token) as gateway:
        # The last 50 events come first, as `status_update`s; then each as it happens.
        await gateway.ask("status_request", {"subscribe": True, "replay": True})
        print("subscribed", flush=True)
        while ends:
            frame = await gateway.events.get()
            if isinstance(frame, Exception):
                raise frame  # also when we were so slow that the end of a task would have been left out
            event = frame["data"]
            if "missed" in event:
                print(f"{event['missed']} events were left out: read faster")
            elif event.get("state") == "finished":
                print(f"{event['task_id']}: {event['status']}", flush=True)
                ends -= 1
            elif "progress" in event:
                print(f"{event['analysis_id']}: {line(event)}", flush=True)
# [end]


if __name__ == "__main__":
    words = arguments(__doc__, "ends")
    asyncio.run(follow(words.url, words.token, int(words.ends)))
