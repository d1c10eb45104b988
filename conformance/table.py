"""Plays all versions of the library side by side, and prints which row held with which.

usage: table.py BINARY WORD VERSION=INTERPRETER...
"""

import collections, contextlib, json, pathlib, signal, subprocess, sys, threading

PLAY = pathlib.Path(__file__).resolve().parent / "play.py"
TITLES = {
    "static_service": "old clients of the static analyzer",
    "gateway": "old clients of the gateway",
    "old_services": "old services behind the gateway",
    "doors": "who gets in, and what a connection takes",
    "examples": "the programs of the integrator's guide",
}


class Column:
    """One version of the library, with the clients' own keep-alive off or on."""

    def __init__(self, version, python, keep_alive, binary, word):
        self.name = version + ("+ka" if keep_alive == "on" else "")
        self.results, self.complaint, self.code, self.process = [], "", None, None
        self.command = [python, str(PLAY), binary, keep_alive, word]
        self.thread = threading.Thread(target=self.play)

    def play(self):
        with subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as self.process:
            process = self.process
            complaints = threading.Thread(target=lambda: setattr(self, "complaint", process.stderr.read()))
            complaints.start()
            for line in process.stdout:
                self.results.append(json.loads(line))
            complaints.join()
        self.code = process.returncode

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()


@contextlib.contextmanager
def stopped_at_the_end(columns):
    try:
        yield
    finally:
        for column in columns:
            column.stop()


def main(binary, word, *interpreters):
    columns = []
    # Versions side by side; what they do twice, one after the other.
    for keep_alive in ("off", "on"):
        now = [Column(*each.split("=", 1), keep_alive, binary, word) for each in interpreters]
        with stopped_at_the_end(now):
            for column in now:
                column.thread.start()
            for column in now:
                column.thread.join()
        columns += now
    rows = collections.OrderedDict()
    for column in columns:
        for result in column.results:
            rows.setdefault((result["file"], result["row"], result["test"]), {})[column.name] = result
    width = max((len(test) for _, _, test in rows), default=0)
    heads = "  ".join(f"{column.name:>6}" for column in columns)
    last, passed, failed = None, 0, []
    for (file, row, test), held in rows.items():
        if file != last:
            print(f"\n{TITLES[file]}\n{'row':<22} {'what holds':<{width}}  {heads}")
            last = file
        cells = []
        for column in columns:
            result = held.get(column.name)
            is_right = result is not None and result["wrong"] is None
            cells.append("ok" if is_right else "FAILED" if result else "-")
            passed += is_right
            if not is_right:
                failed.append((column.name, test, result["wrong"] if result else "it was not played"))
        print(f"{row:<22} {test:<{width}}  " + "  ".join(f"{cell:>6}" for cell in cells))
    for name, test, wrong in failed:
        print(f"\nwebsockets {name}: {test}\n  {wrong}")
    for column in columns:
        if column.code not in (0, 1) or not column.results:
            failed.append((column.name, "the play", column.complaint))
            print(f"\nwebsockets {column.name} ended with {column.code}:\n{column.complaint}")
    print(f"\nconformance: {passed + len(failed)} tests run: {passed} passed, {len(failed)} failed, 0 skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main(*sys.argv[1:]))
