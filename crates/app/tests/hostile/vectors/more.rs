//! Tools for other languages, ignore files, git, and names.

use super::{ALL, Maker};

/// Those who ask git, or read a repository themselves.
const GIT: &[&str] =
    &["checkov", "detect-secrets", "gitleaks", "njsscan", "ruff", "semgrep", "typos", "zizmor"];

// === impl Maker ===

impl Maker<'_> {
    pub(super) fn others(&mut self) {
        for name in ["typos.toml", "_typos.toml", ".typos.toml"] {
            let text = "[files]\nextend-exclude = [\"*\"]\n[default.extend-words]\nrecieve = \"recieve\"\n";
            self.add(&["typos"], name, text);
        }
        self.infrastructure();
        let rules = "rules:\n  - id: none\n    pattern: nothing_at_all()\n    languages: [python]\n    message: none\n    severity: INFO\n";
        for name in [
            ".semgrep.yml",
            ".semgrep.yaml",
            ".semgrep/evil.yml",
            ".semgrepconfig.yml",
            ".semgrepconfig.yaml",
        ] {
            self.add(&["semgrep", "njsscan"], name, rules);
        }
        for name in [".hadolint.yaml", ".hadolint.yml", "hadolint.yaml", "hadolint.yml"] {
            let text = "ignored: [DL3000, DL3003, DL3006, DL3007, DL3008, DL4006]\nno-fail: true\nfailure-threshold: none\n";
            self.add(&["hadolint"], name, text);
        }
        for name in [".shellcheckrc", "shellcheckrc"] {
            let text =
                format!("disable=all\nexternal-sources=true\nsource-path={}\n", self.outside);
            self.add(&["shellcheck"], name, text);
        }
        let sourced = format!(
            "#!/bin/bash\n# shellcheck source={0}/secret.sh\nsource {0}/secret.sh\n",
            self.outside
        );
        self.add(&["shellcheck"], "sourcing.sh", sourced);
        for name in ["zizmor.yml", "/.github/zizmor.yml", "zizmor.yaml"] {
            let text = "rules:\n  template-injection:\n    disable: true\n    ignore: [ci.yml]\n";
            self.add(&["zizmor"], name, text);
        }
        for name in [".yamllint", ".yamllint.yml", ".yamllint.yaml"] {
            self.add(&["yamllint"], name, "ignore: '*'\nrules:\n  key-duplicates: disable\n");
        }
        let sqlfluff = "[sqlfluff]\ntemplater = python\nexclude_rules = all\n[sqlfluff:templater:jinja]\nlibrary_path = .\n\
             load_macros_from_path = .\n";
        self.add(&["sqlfluff"], ".sqlfluff", sqlfluff);
        let inline = "-- sqlfluff:templater:jinja\n-- sqlfluff:templater:jinja:library_path:.\n\
             -- sqlfluff:templater:jinja:load_macros_from_path:.\n-- sqlfluff:exclude_rules:all\nSELECT {{ evil_plugin }} AS one\n";
        self.add(&["sqlfluff"], "inline.sql", inline);
        self.add(&["njsscan"], ".njsscan", "---\n- ignore-filenames: [app.js]\n  ignore-paths: [.]\n  nodejs-extensions: [.none]\n");
        let allow =
            "[extend]\nuseDefault = false\n[allowlist]\npaths = ['''.*''']\nregexes = ['''.*''']\n";
        self.add(&["gitleaks"], "gitleaks.toml", allow);
        self.add(&["gitleaks"], ".gitleaks.toml", allow);
        self.add(
            &["gitleaks"],
            ".gitleaksignore",
            "victim_gitleaks/settings.py:aws-access-token:1\n",
        );
        let baseline = r#"{ "version": "1.5.0", "plugins_used": [], "filters_used": [{ "path": "file://evil_plugin.py::x" }], "results": {} }"#;
        self.add(&["detect-secrets"], ".secrets.baseline", baseline);
    }

    /// What an infrastructure scanner believes and follows.
    fn infrastructure(&mut self) {
        for name in [".checkov.yaml", ".checkov.yml"] {
            let text = "external-checks-dir: [evil_checks]\nskip-check: ['*']\nskip-path: ['.*']\ncompact: true\nsoft-fail: true\n";
            self.add(&["checkov"], name, text);
        }
        self.add(
            &["checkov"],
            ".checkov.baseline",
            r#"{ "failed_checks": [{ "file": "/Dockerfile", "findings": [] }] }"#,
        );
        for name in ["evil_checks/__init__.py", "evil_checks/evil.py"] {
            let code = self.payload.python(name);
            self.add(&["checkov"], name, code);
        }
        let terraform = format!(
            "module \"outside\" {{\n  source = \"{0}\"\n}}\nmodule \"up\" {{\n  source = \"../../../../../../../../..{0}\"\n}}\n\
             resource \"aws_s3_bucket\" \"b\" {{\n  bucket = file(\"{0}/secret.txt\")\n  acl = templatefile(\"{0}/secret.txt\", {{}})\n}}\n",
            self.outside
        );
        self.add(&["checkov"], "main.tf", terraform);
        let serverless = format!(
            "service: app\ncustom: ${{file({0}/secret.yml)}}\nprovider:\n  name: aws\n  environment:\n    A: ${{file({0}/secret.yml):key}}\n",
            self.outside
        );
        self.add(&["checkov"], "serverless.yml", serverless);
        let openapi = format!(
            r#"{{ "openapi": "3.0.0", "info": {{ "title": "a", "version": "1" }}, "paths": {{ "$ref": "{}/secret.json#/a" }} }}"#,
            self.outside
        );
        self.add(&["checkov"], "openapi.json", openapi);
        let stack = format!(
            "AWSTemplateFormatVersion: '2010-09-09'\nResources:\n  A:\n    Fn::Transform:\n      Name: AWS::Include\n      Parameters: {{ Location: '{}/secret.yml' }}\n",
            self.outside
        );
        self.add(&["checkov"], "stack.yaml", stack);
    }

    pub(super) fn ignore_files(&mut self) {
        for name in [
            ".gitignore",
            ".ignore",
            ".rgignore",
            ".assayignore",
            ".semgrepignore",
            ".eslintignore",
            ".stylelintignore",
            ".htmlvalidateignore",
            ".secretlintignore",
            ".sqlfluffignore",
            ".prettierignore",
            ".dockerignore",
            ".npmignore",
            ".banditignore",
            ".mypyignore",
            ".jscpdignore",
            ".yamllintignore",
            ".checkovignore",
            ".njsscanignore",
        ] {
            self.add(&["*"], name, ALL);
        }
        self.add(
            &["*"],
            ".editorconfig",
            "root = true\n[*]\nignore = true\ngenerated_code = true\n",
        );
        let attributes = "* linguist-vendored linguist-generated export-ignore filter=evil diff=evil merge=evil -text\n";
        self.add(&["*"], ".gitattributes", attributes);
    }

    /// Repositories that start programs: a real one, one that is linked, and bare ones.
    pub(super) fn git(&mut self) {
        let config = format!(
            "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tfsmonitor = \"{run}\"\n\thooksPath = hooks\n\tsshCommand = \"{run}\"\n\
             \tpager = \"{run}\"\n[filter \"evil\"]\n\tclean = \"{run}\"\n\tsmudge = \"{run}\"\n[diff \"evil\"]\n\ttextconv = \"{run}\"\n\
             [alias]\n\tstatus = \"!{run}\"\n[remote \"origin\"]\n\turl = {url}\n",
            run = self.payload.shell_line("git config").replace('"', "\\\""),
            url = self.payload.url("git remote"),
        );
        for root in ["/.git/", "evil_git/", ""] {
            self.add(GIT, &format!("{root}HEAD"), "ref: refs/heads/main\n");
            self.add(GIT, &format!("{root}config"), config.clone());
            self.add(GIT, &format!("{root}objects/info/none"), "");
            self.add(GIT, &format!("{root}refs/heads/none"), "");
            for hook in ["post-checkout", "pre-commit", "post-index-change", "fsmonitor-watchman"] {
                let code = self.payload.shell(hook);
                self.add(GIT, &format!("{root}hooks/{hook}"), code);
            }
        }
        self.add(GIT, ".git", "gitdir: ../evil_git\n");
        let modules = format!(
            "[submodule \"evil\"]\n\tpath = evil\n\turl = {}\n",
            self.payload.url("submodule")
        );
        self.add(&[], ".gitmodules", modules);
    }

    /// Names that mean something to somebody.
    pub(super) fn names(&mut self) {
        for (tools, output) in [
            (&["complexipy"][..], "complexipy.sarif"),
            (&["complexipy"], ".complexipy_cache"),
            (&["jscpd"], "report.json"),
            (&["jscpd"], "jscpd"),
            (&["cyclonedx-npm", "cyclonedx-py"], "bom.json"),
            (&["stylelint"], "stylelint.json"),
            (&["stylelint"], ".stylelintcache"),
            (&["retire"], "retire.json"),
            (&["secretlint"], "secretlint.sarif"),
            (&["checkov"], "results_sarif.sarif"),
            (&["eslint"], ".eslintcache"),
            (&["ruff"], ".ruff_cache"),
            (&["mypy"], ".mypy_cache"),
        ] {
            self.add(tools, &format!("{output}/in-the-way"), "");
        }
        let touch = self.payload.witness("name");
        for name in [
            "--config=evil.py",
            "-rf",
            "@evil.txt",
            &format!("$(touch {touch}).py"),
            &format!("`touch {touch}`.sh"),
            &format!("a;touch {touch};.js"),
            "a\nb.py",
            "a\tb.js",
            "\u{1b}[31mred.py",
            "it's.py",
            "\"quoted\".css",
            "[id].html",
            "{a,b}.js",
            "*.yml",
            "\u{202e}yp.evil.py",
            "CON",
            "...",
            "assay_staged_1.js",
            "assay_staged_2.py",
        ] {
            self.add(&[], &format!("/odd/{name}"), "");
        }
        // As long as a name may be.
        self.add(&[], &format!("/odd/{}.py", "x".repeat(252)), "");
    }
}
