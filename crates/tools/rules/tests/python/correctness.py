import asyncio
import time
import uuid
from datetime import datetime

import requests
from sqlalchemy import Column, DateTime, String


async def handler():
    # ruleid: assay.python.blocking-call-in-async
    time.sleep(1)
    # ruleid: assay.python.blocking-call-in-async
    page = requests.get("https://example.org", timeout=3)
    # ok: assay.python.blocking-call-in-async
    await asyncio.sleep(1)
    # ok: assay.python.blocking-call-in-async
    page = await asyncio.to_thread(requests.get, "https://example.org", timeout=3)

    def in_a_thread():
        # ok: assay.python.blocking-call-in-async
        time.sleep(1)

    await asyncio.to_thread(in_a_thread)


def ordinary():
    # ok: assay.python.blocking-call-in-async
    time.sleep(1)


class Note:
    # ruleid: assay.python.default-evaluated-once
    created = Column(DateTime, default=datetime.utcnow())
    # ruleid: assay.python.default-evaluated-once
    updated = Column(DateTime, default=datetime.now, onupdate=datetime.now())
    # ok: assay.python.default-evaluated-once
    seen = Column(DateTime, default=datetime.utcnow)
    # ok: assay.python.default-evaluated-once
    ident = Column(String, default=lambda: str(uuid.uuid4()))
