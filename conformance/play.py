"""Plays the old clients with the version of the library that this interpreter has.

Writes one line of JSON for each test: its row, its name, and what was wrong.

usage: play.py BINARY off|on [WORD]      with the clients' keep-alive off or on; only tests whose name holds WORD
"""

import asyncio, importlib, json, signal, sys, time, traceback

import old_client

# Longer than any wait inside a test, so that those are told first.
PATIENCE_S = 240

FILES = ("static_service", "gateway", "old_services", "doors", "examples")


async def play(binary, word):
    failed = 0
    for name in FILES:
        module = importlib.import_module(name)
        tests = [test for test in vars(module).values() if hasattr(test, "row") and word in test.__name__]
        if not tests:
            continue
        began = time.monotonic()
        async with module.stage(binary) as stage:
            print(f"{name}: {time.monotonic() - began:.1f} s to begin", file=sys.stderr)
            for test in tests:
                began, wrong = time.monotonic(), None
                try:
                    await asyncio.wait_for(test(stage), PATIENCE_S)
                except Exception as error:  # whatever it is, the other tests are played
                    where = traceback.extract_tb(error.__traceback__)
                    ours = [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in where if "site-packages" not in frame.filename]
                    wrong = f"{type(error).__name__}: {error} ({', '.join(ours[1:])})"
                    failed += 1
                took = time.monotonic() - began
                sentence = test.__name__.replace("_", " ")
                print(json.dumps({"file": name, "row": test.row, "test": sentence, "wrong": wrong, "s": round(took, 2)}), flush=True)
    return failed


if __name__ == "__main__":
    # Whoever is stopped takes its servers along.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    old_client.keep_alive = sys.argv[2]
    sys.exit(1 if asyncio.run(play(sys.argv[1], sys.argv[3] if len(sys.argv) > 3 else "")) else 0)
