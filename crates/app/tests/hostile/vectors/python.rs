//! Code that Python programs find by its name, and their own configuration.

use super::{Maker, PIP, PYTHON};

// === impl Maker ===

impl Maker<'_> {
    pub(super) fn python_modules(&mut self) {
        for module in [
            "isort",
            "astroid",
            "pylint",
            "mccabe",
            "tomlkit",
            "dill",
            "platformdirs",
            "sitecustomize",
            "usercustomize",
            "conftest",
            "evil_plugin",
            "json",
            "pip",
            "setup",
            "noxfile",
            "yaml",
            "attr",
            "requests",
            "pathspec",
            "colorama",
            "mando",
            "chardet",
            "jinja2",
            "toml",
        ] {
            let name = format!("{module}.py");
            let code = self.payload.python(&name);
            self.add(PYTHON, &name, code);
        }
        let line = self.payload.python_line("evil.pth");
        self.add(PYTHON, "evil.pth", format!("import os; {line}\n"));
        self.add(
            PYTHON,
            "pyvenv.cfg",
            format!("home = {}\ninclude-system-site-packages = true\n", self.outside),
        );
        self.add(
            PYTHON,
            "evil-1.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n",
        );
        let points = "[bandit.plugins]\nevil = evil_plugin:x\n[flake8.extension]\nX = evil_plugin:x\n\
             [sqlfluff]\nevil = evil_plugin\n[console_scripts]\nbandit = evil_plugin:x\n";
        self.add(PYTHON, "evil-1.0.dist-info/entry_points.txt", points);
        for name in [".python-version", ".tool-versions"] {
            self.add(&[], name, "../../evil\n");
        }
    }

    pub(super) fn python_configurations(&mut self) {
        let run = self.payload.python_line("pylintrc");
        let rc = format!("[MAIN]\ninit-hook={run}\nload-plugins=evil_plugin\nignore-patterns=.*\n");
        let toml =
            format!("[tool.pylint.main]\ninit-hook = \"{run}\"\nignore-patterns = [\".*\"]\n");
        for (name, text) in [
            ("pylintrc", &rc),
            (".pylintrc", &rc),
            ("pylintrc.toml", &toml),
            (".pylintrc.toml", &toml),
        ] {
            self.add(&["pylint"], name, text.as_str());
        }
        for name in ["mypy.ini", ".mypy.ini"] {
            let text = "[mypy]\nplugins = ./evil_plugin.py\nignore_errors = True\nexclude = .*\n";
            self.add(&["mypy"], name, text);
        }
        // A stub that says nothing of the code beside it.
        self.add(&["mypy", "ty"], "app.pyi", "def __getattr__(name: str): ...\n");
        self.add(&["mypy", "ty"], "/__builtins__.pyi", "def __getattr__(name: str): ...\n");
        for name in ["ruff.toml", ".ruff.toml"] {
            self.add(&["ruff"], name, "exclude = [\"*\"]\nlint.select = []\n");
        }
        self.add(&["ty"], "ty.toml", "[src]\nexclude = [\"**\"]\n[rules]\nall = \"ignore\"\n");
        self.add(&["bandit"], ".bandit", "[bandit]\nexclude = .\nskips = B602\n");
        self.add(&["radon"], "radon.cfg", "[radon]\nexclude = *\ncc_min = F\n");
        for name in ["complexipy.toml", ".complexipy.toml"] {
            self.add(&["complexipy"], name, "exclude = [\"**\"]\nmax-complexity-allowed = 1000\n");
        }
        self.add(&["lizard"], "whitelizard.txt", "*\nsearch\ntotal\n");
    }

    pub(super) fn requirements(&mut self) {
        let requirements = format!(
            "-i {index}\n--extra-index-url {index}\n--find-links {index}\n-r {outside}/secret.txt\n\
             -r ../../../../../../../../../..{outside}/secret.txt\n--constraint {outside}/secret.txt\n\
             -e ./evil_setup\nevil @ file://{outside}/evil_setup\n./evil_setup\n",
            index = self.payload.url("requirements"),
            outside = self.outside
        );
        self.add(PIP, "requirements-hostile.txt", requirements);
        let setup = self.payload.python("evil_setup");
        self.add(PIP, "evil_setup/setup.py", setup);
        for name in ["pip.conf", "pip.ini", ".pydistutils.cfg"] {
            let url = self.payload.url(name);
            self.add(PIP, name, format!("[global]\nindex-url = {url}\nextra-index-url = {url}\n"));
        }
    }
}
