"""Has an app analysed, and shows how far it is.

usage: python analyze.py ws://localhost:8765 MODEL APP [--tools A,B]
"""

import asyncio, sys

from gateway import Gateway, arguments, line, patiently


# [analyze]
async def analyze(url, token, model, app, tools):
    async with Gateway(url, token) as gateway:
        result = await patiently(lambda: gateway.analyze(model, app, lambda step: print(line(step)), tools=tools))
    analysis = result["analysis"]
    print(f"{result['status']}: {analysis['summary']['total_findings']} findings")
    for name, tool in analysis["tool_results"].items():
        print(f"  {name}: {tool['status']}, {tool['total_issues']}")
    # Only `success` says that every tool did its work: a zero of anything else is no zero.
    return result["status"] == "success"
# [end]


if __name__ == "__main__":
    words = arguments(__doc__, "model", "app")
    sys.exit(not asyncio.run(analyze(words.url, words.token, words.model, words.app, words.tools)))
