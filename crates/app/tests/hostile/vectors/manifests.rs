//! Files that are manifest and configuration.

use super::Maker;

/// For `pyproject.toml`; `RUN` is code.
const PYPROJECT: &str = r#"[project]
name = "app"
version = "1.0"

[build-system]
requires = []
build-backend = "evil_plugin"
backend-path = ["."]

[tool.ruff]
exclude = ["*", "**"]
lint.select = []
lint.ignore = ["ALL"]

[tool.bandit]
exclude_dirs = ["."]
skips = ["B602"]

[tool.pylint.main]
init-hook = "RUN"
load-plugins = ["evil_plugin"]
ignore-patterns = [".*"]

[tool.mypy]
plugins = ["./evil_plugin.py", "evil_plugin"]
ignore_errors = true
exclude = ".*"

[tool.ty.src]
exclude = ["**"]

[tool.ty.rules]
all = "ignore"

[tool.vulture]
exclude = ["*"]
ignore_names = ["*"]
min_confidence = 100

[tool.radon]
exclude = "*"
cc_min = "F"

[tool.complexipy]
exclude = ["**"]
max-complexity-allowed = 1000

[tool.typos.files]
extend-exclude = ["*"]

[tool.typos.default.extend-words]
recieve = "recieve"

[tool.sqlfluff.core]
templater = "python"
exclude_rules = "all"
library_path = "."

[tool.pytest.ini_options]
addopts = "-p evil_plugin"
"#;

// === impl Maker ===

impl Maker<'_> {
    pub(super) fn pyproject(&mut self) {
        let tools: &[&str] = &[
            "ruff",
            "bandit",
            "pylint",
            "mypy",
            "ty",
            "vulture",
            "radon",
            "complexipy",
            "typos",
            "sqlfluff",
        ];
        let text = PYPROJECT.replace("RUN", &self.payload.python_line("pyproject.toml"));
        self.add(tools, "pyproject.toml", text);
    }

    pub(super) fn manifests(&mut self) {
        let cargo = "[package]\nname = \"app\"\nversion = \"1.0.0\"\n\
             [package.metadata.typos.files]\nextend-exclude = [\"*\"]\n\
             [workspace.metadata.typos.files]\nextend-exclude = [\"*\"]\n";
        self.add(&["typos"], "Cargo.toml", cargo);
        for name in ["setup.cfg", "tox.ini", "pep8.ini"] {
            let run = self.payload.python_line(name);
            let text = format!(
                "[metadata]\nname = app\n\n[pylint.main]\ninit-hook={run}\nload-plugins=evil_plugin\nignore-patterns=.*\n\n\
                 [pylint]\ninit-hook={run}\n\n[MASTER]\ninit-hook={run}\n\n[mypy]\nplugins = ./evil_plugin.py\nignore_errors = True\n\n\
                 [mypy-app.*]\nignore_errors = True\n\n[radon]\nexclude = *\ncc_min = F\n\n[bandit]\nskips = B602\nexclude = .\n\n\
                 [sqlfluff]\ntemplater = python\nexclude_rules = all\n\n[sqlfluff:templater:jinja]\nlibrary_path = .\n\n\
                 [flake8]\nexclude = .\n\n[flake8:local-plugins]\nextension = X = evil_plugin:x\npaths = .\n\n[tool:pytest]\naddopts = -p evil_plugin\n"
            );
            self.add(&["pylint", "mypy", "radon", "bandit", "sqlfluff"], name, text);
        }
    }
}
