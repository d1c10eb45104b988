"""Shows the statistics of a gateway.

usage: python stats.py ws://localhost:8765
"""

import asyncio

from gateway import Gateway, arguments


# [statistics]
async def show(url, token):
    async with Gateway(url, token) as gateway:
        status = await gateway.status()
    pool, tasks = status["pool"], status["tasks"]
    print(f"""
Connections to services:
  active: {pool['active_connections']} of {pool['max_concurrent_connections']}, idle: {pool['pooled_connections']}
  waiting for one: {pool['waiting']}
Tasks: {tasks['running']} run, {tasks['queued']} wait, {tasks['ended']} of {tasks['accepted']} have ended
Requests that shared another's work: {pool['pending_requests']}
Circuit breakers open: {pool['circuit_breakers']['open_or_half_open']} of {pool['circuit_breakers']['total']}""")
    for breaker in status["breakers"]:
        print(f"  {breaker['service']} at {breaker['url']}: {breaker['state']}")
# [end]


if __name__ == "__main__":
    words = arguments(__doc__)
    asyncio.run(show(words.url, words.token))
