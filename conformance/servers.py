"""Servers of the real binary, each in a world of its own: apps, tools, a home, a cache."""

import contextlib, json, pathlib, re, shutil, signal, socket, subprocess, tempfile, threading, time

HERE = pathlib.Path(__file__).resolve().parent

# No condition of a test takes so long on any machine that is worth testing on.
LONG = 90

LINE = r"^(?P<path>[^:]+):(?P<line>-?[0-9]+): (?P<severity>[a-z]+) (?P<rule>[^ :]+): (?P<message>.*)$"


def in_toml(value):
    """A value as TOML writes it: JSON, but for the tables."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {in_toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(in_toml, value)) + "]"
    return json.dumps(value)


class World:
    """
    root/assay.toml            the configuration
    root/cwd/generated/apps    the source root
    root/outside               what no request may reach
    """

    def __init__(self, settings=None):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="assay-conformance-")).resolve()
        for name in ("cwd", "home", "cache", "tmp", "outside"):
            (self.root / name).mkdir()
        self.apps = self.root / "cwd" / "generated" / "apps"
        self.apps.mkdir(parents=True)
        # Tools are started from a place that others may read, whoever runs the suite.
        shutil.copy(HERE / "fake-tool", self.root / "fake-tool")
        self.notes = self.root / "notes"
        self.servers = []
        tools = {name: self.tool(mode) for name, mode in (("finder", "find"), ("holder", "hold"), ("breaker", "break"))}
        tools["absent"] = self.tool("find", program=str(self.root / "no-such-program"))
        tools["idle"] = {**self.tool("find"), "inputs": {"languages": ["javascript"]}}
        settings = {
            # Tests look for the processes of the tools by their numbers.
            "sandbox": "off",
            "tools": ["finder"],
            **(settings or {}),
        }
        lines = [f"{key} = {in_toml(value)}" for key, value in settings.items() if not isinstance(value, dict)]
        for key, value in settings.items():
            if isinstance(value, dict):
                lines += [f"[{key}]"] + [f"{inner} = {in_toml(what)}" for inner, what in value.items()]
        for name, row in tools.items():
            lines += [f"[tool.{name}]"] + [f"{key} = {in_toml(value)}" for key, value in row.items()]
        (self.root / "assay.toml").write_text("\n".join(lines) + "\n")

    def tool(self, mode, program=None):
        program = program or str(self.root / "fake-tool")
        args = [mode, "{project}"] + ([str(self.notes)] if mode == "hold" else [])
        return {
            "title": f"A tool that is told to {mode}",
            "kind": "security",
            "inputs": {"files": ["**"]},
            "install": {"from": "path", "mend": "install it", "version-args": ["version"]},
            "run": {"program": program, "args": args, "finding-codes": [1]},
            "output": {
                "format": "text",
                "empty-is-clean": True,
                "map": {
                    "pattern": LINE, "rule": "rule", "message": "message", "path": "path", "line": "line",
                    "severity": "severity",
                },
            },
            "severities": {"critical": "critical", "high": "high", "medium": "medium", "low": "low"},
        }

    def app(self, model, number, findings=(), layout="{model}/app{number}"):
        """Makes an app with these findings, as (line, severity, rule)."""
        folder = self.apps / layout.format(model=model, number=number)
        folder.mkdir(parents=True)
        # Equal apps are equal work; these are not equal.
        (folder / "a.py").write_text(f"# {model} {number}\n" + "one = 1\n" * 20)
        says = "".join(f"a.py:{line}: {severity} {rule}: {rule} of {model}\n" for line, severity, rule in findings)
        (folder / "findings.txt").write_text(says)
        return folder

    def start(self, binary, args, variables=None):
        server = Server(self, binary, args, variables or {})
        self.servers.append(server)
        server.until("ready: ")
        return server

    def start_on_a_free_port(self, binary, args, variable, variables):
        """For a name to which 0 is the usual port: somebody else may be quicker to take a port that was free."""
        for chance in range(10):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            try:
                return self.start(binary, args, {**variables, variable: str(port)})
            except AssertionError as error:
                if "cannot be listened on" not in str(error) or chance == 9:
                    raise

    def says(self, binary, args, variables=None):
        """Runs a command that ends by itself."""
        done = subprocess.run(
            [binary, *args], cwd=self.root / "cwd", env=self.environment(variables or {}), capture_output=True,
            text=True, timeout=LONG, check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def environment(self, variables):
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(self.root / "home"),
            "TMPDIR": str(self.root / "tmp"), "ASSAY_CACHE": str(self.root / "cache"), **variables,
        }

    def held(self, known=()):
        """The processes of every `holder` that has begun, but for those that are known already."""
        text = self.notes.read_text() if self.notes.exists() else ""
        whole = text[: text.rfind("\n") + 1]
        return [tuple(map(int, line.split())) for line in whole.splitlines()][len(known):]

    def close(self):
        for server in self.servers:
            server.close()
        shutil.rmtree(self.root, ignore_errors=True)


class Server:
    """A process that serves, stopped when its world is closed."""

    def __init__(self, world, binary, args, variables):
        self.said = ""
        self.process = subprocess.Popen(
            [binary, *args], cwd=world.root / "cwd", env=world.environment(variables), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stderr:
            self.said += line

    def until(self, words):
        """Waits until it has said this."""
        end = time.monotonic() + LONG
        while words not in self.said:
            if self.process.poll() is not None:
                self.reader.join(5)
                assert words in self.said, f"it ended and did not say `{words}`:\n{self.said}"
            assert time.monotonic() < end, f"it does not say `{words}`:\n{self.said}"
            time.sleep(0.01)

    @property
    def url(self):
        return re.search(r"ready: .*?(wss?://[^\s,;]+)", self.said).group(1)

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(1)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(LONG)
        # The descriptor is closed by whoever reads from it, else he would wake up on another's.
        self.reader.join(LONG)
        self.process.stderr.close()


def lives(pid):
    """Whether there is such a process. One that ended and was not reaped yet lives no more."""
    with contextlib.suppress(OSError):
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] != "Z"
    return False
