# Code of an app that a tool with a hole runs. It tries what it should not and says what it got.
# `PORT`, `ROOT`, `MARK`, `TEST` and `SECRET` are put in by the test.
import glob
import os
import socket
import subprocess
import sys

ROOT, TEST = "@ROOT@", int("@TEST@")
WITNESS = "assay-witness-@PORT@-hole"


def tried(what, action):
    try:
        got = action()
    except OSError:
        return
    if got is not False:
        print("GOT", what, file=sys.stderr)


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        print(file.read(), file=sys.stderr)


def write(path):
    with open(path, "a", encoding="utf-8") as file:
        file.write("run")


def called(family, address):
    with socket.socket(family, socket.SOCK_STREAM) as call:
        call.settimeout(5)
        call.connect(address)
        call.sendall(b"hole")


def sent():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as call:
        call.connect(("127.0.0.1", int("@PORT@")))
        call.send(b"hole")


def environments():
    for path in glob.glob("/proc/[0-9]*/environ"):
        try:
            with open(path, "rb") as file:
                if b"@SECRET@" in file.read():
                    return True
        except OSError:
            continue
    return False


def remain(words):
    subprocess.Popen(
        words,
        env={"PATH": "/usr/bin:/bin", "ASSAY_TEST_MARK": "@MARK@"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


here = os.path.dirname(os.path.abspath(__file__))
for folder in ["/tmp", "/var/tmp", "/dev/shm", os.environ["HOME"], os.environ["TMPDIR"], os.getcwd()]:
    # Some of these are its own: whether anything is left there is seen from outside.
    tried("", lambda: write(os.path.join(folder, WITNESS)) or False)
for name in ["app", "outside", "work", "home", "tmp", "cache", "tools"]:
    tried(f"write {name}", lambda: write(f"{ROOT}/{name}/{WITNESS}"))
tried("change app", lambda: write(f"{ROOT}/app/a.py"))
tried("change snapshot", lambda: write(os.path.join(here, WITNESS)))
for name in ["outside/secret.txt", "home/.ssh/id", "app/a.py", "assay.toml"]:
    tried(f"read {name}", lambda: read(f"{ROOT}/{name}"))
tried("list machine", lambda: bool(os.listdir(ROOT)))
tried("list other tools", lambda: bool(os.listdir(os.path.join(here, "../tools"))))
tried("see process", lambda: os.kill(TEST, 0))
tried("see environment", environments)
tried("call port", lambda: called(socket.AF_INET, ("127.0.0.1", int("@PORT@"))))
# Whether it arrives is seen from outside.
tried("", lambda: sent() or False)
tried("call socket", lambda: called(socket.AF_UNIX, f"{ROOT}/outside/socket"))
tried("call abstract socket", lambda: called(socket.AF_UNIX, "\0assay-test-@PORT@"))
remain(["sleep", "600"])
remain(["setsid", "sleep", "600"])
remain(["setsid", "-f", "sleep", "600"])
remain(["bash", "-c", "trap '' TERM HUP INT; while :; do sleep 600; done"])
print("RAN", file=sys.stderr)
