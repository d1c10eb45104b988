"""Takes connections from a pool under a limit: callers beyond it wait, and do not fail.

usage: python pool.py ws://localhost:8765 CALLERS
"""

import asyncio, contextlib, json

from gateway import arguments, connect


# [pool]
class Pool:
    """Connections to one server, never more than the limit at a time.

    A place is taken before connecting and given back when the connection is closed, whatever happens in between.
    """

    def __init__(self, url, token=None, max_connections=50, waiting_max=1000):
        self.url, self.token, self.max_connections, self.waiting_max = url, token, max_connections, waiting_max
        self.places = asyncio.Semaphore(max_connections)
        self.active = self.most = self.waiting = 0

    @contextlib.asynccontextmanager
    async def connection(self, timeout=60):
        if self.waiting >= self.waiting_max:
            raise RuntimeError(f"{self.waiting} callers wait already")
        self.waiting += 1
        try:
            await asyncio.wait_for(self.places.acquire(), timeout)
        finally:
            self.waiting -= 1
        self.active += 1
        self.most = max(self.most, self.active)
        try:
            async with connect(self.url, self.token) as ws:
                yield ws
        finally:
            self.active -= 1
            self.places.release()

    def stats(self):
        return {"active_connections": self.active, "max_concurrent_connections": self.max_connections, "waiting": self.waiting}


async def beat(pool):
    async with pool.connection() as ws:
        await ws.send(json.dumps({"type": "heartbeat"}))
        return json.loads(await ws.recv())["data"]["status"]
# [end]


async def main(url, token, callers):
    pool = Pool(url, token)
    alive = await asyncio.gather(*(beat(pool) for _ in range(callers)))
    print(f"{alive.count('alive')} of {callers} were answered, over at most {pool.most} connections at once: {pool.stats()}")


if __name__ == "__main__":
    words = arguments(__doc__, "callers")
    asyncio.run(main(words.url, words.token, int(words.callers)))
