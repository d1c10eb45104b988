"""One connection to a gateway, and any number of requests on it at once.

Needs Python 3.10 and `websockets` 12 or newer. The other programs in this folder use it; `docs/integrating.md`
explains it piece by piece.
"""

import argparse, asyncio, json, os, uuid

import websockets

OPTIONS = {
    "subprotocols": ["assay.v1"],  # keep the connection open after a result
    "max_size": 100 << 20,  # a result may hold SARIF of many tools
}


# [connect]
def connect(url, token=None):
    """What `async with` and `await` take. A token goes into a header, so that it is in no log of addresses."""
    if not token:
        return websockets.connect(url, **OPTIONS)
    version = int(websockets.__version__.split(".")[0])
    headers = "extra_headers" if version < 14 else "additional_headers"
    return websockets.connect(url, **OPTIONS, **{headers: {"Authorization": f"Bearer {token}"}})
# [end]


# [refused]
class Refused(Exception):
    """The gateway answered by an `error` frame."""

    def __init__(self, data):
        super().__init__(f"{data['code']}: {data['message']}")
        self.code = data["code"]
        self.suggestion = data.get("suggestion")
        # Seconds from now; `None` where waiting does not help.
        self.retry_after = data["retry_after_ms"] / 1000 if "retry_after_ms" in data else None


async def patiently(ask, tries=5):
    """Calls `ask` until it is not refused for now. What is refused for good is raised at once."""
    for left in reversed(range(tries)):
        try:
            return await ask()
        except Refused as refused:
            if refused.retry_after is None or not left:
                raise
            await asyncio.sleep(refused.retry_after)
# [end]


# [gateway]
class Gateway:
    """`async with Gateway(url) as gateway`"""

    def __init__(self, url, token=None):
        self.url, self.token = url, token
        self.asked = {}  # the `id` of a request: where its answers go
        self.events = asyncio.Queue(1000)  # what comes unasked: a subscriber's events

    async def __aenter__(self):
        self.ws = await connect(self.url, self.token)
        self.reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_):
        self.reader.cancel()
        await asyncio.gather(self.reader, return_exceptions=True)
        await self.ws.close()

    async def _read(self):
        """Gives each frame to whoever asked for it. One that is slow with its events slows this connection alone."""
        try:
            async for message in self.ws:
                frame = json.loads(message)
                await self.asked.get(frame.get("correlation_id"), self.events).put(frame)
        except websockets.ConnectionClosed:
            pass
        closed = ConnectionError(f"the gateway has closed: {self.ws.close_code} {self.ws.close_reason}")
        for answers in [*self.asked.values(), self.events]:
            await answers.put(closed)

    async def ask(self, kind, data=None, ends=None, tell=None):
        """Sends a request and returns its answer: the first frame, or the first whose type is `ends`. What comes before is told."""
        request = str(uuid.uuid4())
        answers = self.asked[request] = asyncio.Queue()
        try:
            await self.ws.send(json.dumps({"type": kind, "id": request, "data": data or {}}))
            while True:
                frame = await answers.get()
                if isinstance(frame, Exception):
                    raise frame
                if frame["type"] == "error":
                    raise Refused(frame["data"])
                if ends in (None, frame["type"]):
                    return frame["data"]
                if tell:
                    tell(frame["data"])
        finally:
            del self.asked[request]
# [end]

    # [requests]
    async def analyze(self, model, app, tell=None, timeout=300, **more):
        """Has one app analysed. `more`: `tools`, `task_id`, `detach`, `priority`, `config` …"""
        data = {"model_slug": model, "app_number": app, "analysis_type": "static", "timeout": timeout, **more}
        asking = self.ask("analysis_request", data, "analysis_result", tell)
        # The gateway answers by its own deadline, with what was found until then; this is for one that is gone.
        return await asyncio.wait_for(asking, timeout + 5)

    async def cancel(self, task):
        """Stops a task. `cancelled` comes when the last process of its tools is gone."""
        return (await self.ask("cancel_request", {"task_id": task}))["state"]

    async def status(self):
        return await self.ask("status_request")

    async def task(self, task):
        """The state of a task and, once it has ended, its result."""
        return await self.ask("status_request", {"task_id": task})
    # [end]


def line(step):
    """What happens while an app is analysed, for a person."""
    if "state" in step:
        return f"{step['state']} as {step['task_id']}"
    return f"{step['progress']:4.0%}  {step['message']}"


def arguments(about, *names):
    """The words of a command line: a URL, then these."""
    parser = argparse.ArgumentParser(description=about)
    for name in ("url", *names):
        parser.add_argument(name, type=int if name == "app" else str)
    parser.add_argument("--tools", type=lambda words: words.split(","), default=[], help="these, instead of the default set")
    parser.add_argument("--token", default=os.environ.get("ASSAY_TOKEN"))
    return parser.parse_args()
