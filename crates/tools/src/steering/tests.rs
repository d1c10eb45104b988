//! Files taken apart, and names matched.

use super::*;
use crate::check::check as checked;
use crate::tool::Origin;
use assay_model::ToolId;

fn tool(steered_by: &str) -> Tool {
    let row = format!(
        "title = \"t\"\nkind = \"style\"\ninputs = {{ all-text = true }}\n\
         install = {{ from = \"path\", mend = \"m\" }}\nrun = {{ program = \"t\" }}\n\
         output = {{ format = \"sarif\" }}\n{steered_by}"
    );
    let says = ::toml::from_str(&row).unwrap();
    checked(&ToolId::new("t").unwrap(), says, Origin::User).unwrap()
}

fn path(text: &str) -> SourcePath {
    SourcePath::new(text).unwrap()
}

#[track_caller]
fn check(name: &str, sections: &[&str], text: &str, expected: Option<&str>) {
    let names: Vec<_> = sections.iter().map(|name| format!("'{name}'")).collect();
    let tool = tool(&format!(
        "[[steered-by]]\nfiles = ['{name}']\nhow = 'sections'\nsections = [{}]\n",
        names.join(", ")
    ));
    let rest = match tool.rest_of(&path(name), text.as_bytes()) {
        Rest::All => Some(text.to_owned()),
        Rest::Without(rest) => Some(String::from_utf8(rest).unwrap()),
        Rest::Unknown => None,
    };
    if let Some(rest) = &rest {
        assert_eq!(rest.lines().count(), text.lines().count(), "{rest}");
    }
    // Blank lines hold spaces; what matters is what stands where.
    let words =
        |line: &str| line.split(' ').filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" ");
    let trimmed = rest.map(|rest| rest.split('\n').map(words).collect::<Vec<_>>().join("\n"));
    assert_eq!(trimmed.as_deref(), expected, "{text}");
}

#[test]
fn a_table_of_toml_goes_with_its_lines_however_it_is_written() {
    let toml = |text, expected| check("pyproject.toml", &["tool.ruff"], text, expected);
    toml(
        "[project]\nname = 'a'\n[tool.ruff]\nx = 1\n[tool.ty]\ny = 2",
        Some("[project]\nname = 'a'\n\n\n[tool.ty]\ny = 2"),
    );
    toml("[tool.ruff.lint]\nx = [\n 1, # ]\n]\n[b]\nc = 1", Some("\n\n\n\n[b]\nc = 1"));
    toml("tool.ruff.x = 1\nb = 2", Some("\nb = 2"));
    toml("[tool]\n\"ruff\" = { x = 1 }\nb = 2", Some("[tool]\n\nb = 2"));
    toml("[ tool . \"r\\u0075ff\" ]\nx = 1", Some("\n"));
    toml("[[tool.ruff.many]]\nx = 1\n[[a]]\nb = 1", Some("\n\n[[a]]\nb = 1"));
    toml(
        "a = \"\"\"\n[tool.ruff]\n\"\"\"\n[tool.ruff]\nx = '''\n[a]\n'''",
        Some("a = \"\"\"\n[tool.ruff]\n\"\"\"\n\n\n\n"),
    );
    toml("a = 1", Some("a = 1"));
}

#[test]
fn what_cannot_be_taken_apart_is_hidden() {
    check("pyproject.toml", &["tool.ruff"], "tool = { ruff = { x = 1 }, b = 2 }", None);
    check("pyproject.toml", &["tool.ruff"], "[tool.ruff\nx = 1", None);
    check("package.json", &["eslintConfig"], "{ a: 1 }", None);
    assert_eq!(
        tool("[[steered-by]]\nfiles = ['a.toml']\nhow = 'sections'\nsections = ['x']")
            .rest_of(&path("a.toml"), b"\xff"),
        Rest::Unknown
    );
}

#[test]
fn a_member_of_json_goes_with_its_comma() {
    let json = |text, expected| check("package.json", &["jscpd", "eslint*"], text, Some(expected));
    json("{\n\"name\": \"a\",\n\"jscpd\": {\n\"x\": \"}\"\n}\n}", "{\n\"name\": \"a\"\n\n\n\n}");
    json("{\"jscpd\": 1,\n\"b\": [1, 2]}", "{\n\"b\": [1, 2]}");
    json("{\"jscpd\": 1, \"js\\u0063pd\": 2}", "{ }");
    json(
        "{\"a\": 1,\n\"eslintConfig\": {},\n\"b\": {\"jscpd\": 1},\n\"eslintIgnore\": []\n}",
        "{\"a\": 1,\n\n\"b\": {\"jscpd\": 1}\n\n}",
    );
    json("[\"jscpd\"]", "[\"jscpd\"]");
}

#[test]
fn a_section_of_ini_goes_by_every_reading_of_its_header() {
    let ini = |text, expected| check("setup.cfg", &["mypy", "mypy-*"], text, Some(expected));
    ini(
        "[metadata]\nname = a\n[mypy]\nx = 1\n\n[options]\ny = 2",
        "[metadata]\nname = a\n\n\n\n[options]\ny = 2",
    );
    ini("[ MyPy ] # x\nx = 1\n[mypy-a.*]\ny = 1", "\n\n\n");
    ini("[a]\nx =\n  [mypy]\nplugins = evil", "[a]\nx =\n\n");
    ini("[mypy]]\nx = 1\r[b]\ny = 1", "\n\r[b]\ny = 1");
}

#[test]
fn the_mark_of_an_encoding_does_not_hide_a_section() {
    let tool = tool("[[steered-by]]\nfiles = ['a.json']\nhow = 'sections'\nsections = ['x']");
    let rest = tool.rest_of(&path("sub/A.JSON"), b"\xef\xbb\xbf{\"x\": 1}");
    assert_eq!(rest, Rest::Without(b"\xef\xbb\xbf{      }".to_vec()));
}

#[test]
fn a_name_is_meant_in_every_folder_and_every_case_unless_it_is_rooted() {
    let tool = tool(
        "[[steered-by]]\nfiles = ['.eslintrc*', '/json.py', '.config/', '.github/x.yml']\n\
         [[steered-by]]\nfiles = ['*.py']\nhow = 'rename'\n",
    );
    let how = |text: &str| tool.treatment(&path(text));
    for hidden in [
        ".eslintrc",
        "a/b/.ESLintrc.json",
        "json.py",
        ".config/a/b",
        "a/.config/x",
        ".github/x.yml",
    ] {
        assert_eq!(how(hidden), Some(Treatment::Hide), "{hidden}");
    }
    assert_eq!(how("sub/json.py"), Some(Treatment::Rename));
    assert_eq!(how("a/.github/x.yml"), None);
    assert_eq!(how("readme"), None);
}
