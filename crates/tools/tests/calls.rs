//! Which processes a declaration becomes.

#![allow(clippy::unwrap_used, reason = "a test ends where its premise does")]

mod common;

use assay_model::SourcePath;
use assay_tools::{OutputSource, Settings, Tool};
use common::{own, places};
use std::{collections::BTreeMap, sync::Arc};

fn tool(run: &str) -> Arc<Tool> {
    let rest = format!("{}\noutput = {{ format = \"sarif\", from = \"file:out.sarif\" }}", "");
    let own = own(&rest);
    let mut says = own.declaration().clone();
    says.run = toml::from_str(run).unwrap();
    says.options = toml::from_str(
        "level = { summary = \"x\", args = [\"--level\", \"{value}\"] }\n\
         strict = { summary = \"x\", args = [\"--strict\"] }",
    )
    .unwrap();
    let mut catalogue = assay_tools::Catalogue::default();
    catalogue.add("run", says).unwrap_or_else(|error| panic!("{error}"));
    Arc::clone(catalogue.get("run").unwrap())
}

fn paths(names: &[&str]) -> Vec<SourcePath> {
    names.iter().map(|name| SourcePath::new(name).unwrap()).collect()
}

#[test]
fn placeholders_are_folders_and_never_a_shell() {
    let tool = tool(
        "program = \"x\"\nargs = [\"-c\", \"{config}/a\", \"-o\", \"{scratch}/out.sarif\", \"{project}\", \"a b;{x,y}\"]\n\
         env = { HOME = \"{scratch}\" }",
    );
    let calls = tool.calls(&places(), &paths(&["a.py"]), &Settings::default());
    assert_eq!(calls.len(), 1);
    let call = &calls[0];
    assert_eq!(
        call.args,
        ["-c", "/snap/config/a", "-o", "/snap/scratch/out.sarif", "/snap/app", "a b;{x,y}"]
    );
    assert_eq!((call.program.as_str(), call.cwd.as_str()), ("x", "/snap/scratch"));
    assert_eq!(call.env["HOME"], "/snap/scratch");
    assert_eq!(call.shown, "x -c {config}/a -o {scratch}/out.sarif {project} 'a b;{x,y}'");
    assert_eq!(call.output, OutputSource::File("/snap/scratch/out.sarif".into()));
    assert!(tool.calls(&places(), &[], &Settings::default()).is_empty());
}

#[test]
fn a_file_whose_name_looks_like_an_option_is_none() {
    let tool =
        tool("program = \"x\"\nargs = [\"{files}\"]\ninvocation = \"batches\"\ncwd = \"project\"");
    let files = paths(&["a.py", "--config=evil.py", "@args", "-", "{project}", "ä.py"]);
    let calls = tool.calls(&places(), &files, &Settings::default());
    assert_eq!(
        calls[0].args,
        ["a.py", "./--config=evil.py", "./@args", "./-", "./{project}", "ä.py"]
    );
}

#[test]
fn many_files_are_spread_over_calls_that_fit() {
    for cwd in ["project", "scratch"] {
        let tool = tool(&format!(
            "program = \"x\"\nargs = [\"{{files}}\"]\ninvocation = \"batches\"\ncwd = \"{cwd}\""
        ));
        let names: Vec<String> = (0..9_000).map(|n| format!("{n}/{}.py", "n".repeat(40))).collect();
        let files = paths(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let calls = tool.calls(&places(), &files, &Settings::default());
        assert!(calls.len() > 1);
        let mut given = 0;
        for call in &calls {
            let bytes: usize = call.args.iter().map(|arg| arg.len() + 9).sum();
            assert!(bytes <= 96 * 1024, "{bytes}");
            given += call.args.len();
        }
        assert_eq!(given, files.len());
        assert_ne!(calls[0].scratch, calls[1].scratch);
    }
}

#[test]
fn each_file_may_have_a_call_of_its_own() {
    let tool = tool(
        "program = \"x\"\nargs = [\"{file}\", \"{dir}\"]\ninvocation = \"each\"\ncwd = \"file-folder\"",
    );
    let calls = tool.calls(&places(), &paths(&["sub/a.py", "b.py"]), &Settings::default());
    assert_eq!(calls[0].args, ["/snap/app/sub/a.py", "/snap/app/sub"]);
    assert_eq!((calls[0].cwd.as_str(), calls[1].cwd.as_str()), ("/snap/app/sub", "/snap/app/"));
    assert_eq!(calls[1].file.as_ref().unwrap().as_str(), "b.py");
    assert_eq!(calls[1].shown, "x b.py {dir}");
}

#[test]
fn settings_become_the_arguments_that_the_row_offers_and_no_others() {
    let tool = tool("program = \"x\"\nargs = [\"scan\", \"{project}\"]");
    let set = |pairs: &[(&str, &str)]| {
        let map: BTreeMap<_, _> =
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        tool.settings(&map)
    };
    let settings = set(&[("level", "2"), ("strict", "true")]).unwrap();
    let calls = tool.calls(&places(), &paths(&["a.py"]), &settings);
    assert_eq!(calls[0].args, ["scan", "--level", "2", "--strict", "/snap/app"]);
    assert!(set(&[("strict", "false")]).is_ok());
    assert!(set(&[("strict", "yes")]).is_err());
    assert!(set(&[("level", "--config=x")]).is_err());
    assert!(set(&[("level", "a\nb")]).is_err());
    let error = set(&[("levle", "2")]).unwrap_err().to_string();
    assert!(error.contains("did you mean `level`"), "{error}");
}

#[test]
fn configuration_has_its_folders_put_in_and_rules_are_left_as_they_are() {
    let own =
        own("config = { \"own.toml\" = \"root = '{project}' {x}\", \"rules/\" = \"@rules\" }\n\
                   output = { format = \"sarif\" }");
    let files = own.config_files(&places());
    assert_eq!(files["own.toml"], "root = '/snap/app' {x}");
    let rule = include_str!("../rules/python/injection.yaml");
    assert_eq!(files["rules/python/injection.yaml"], rule);
    assert!(!files.keys().any(|name| name.contains("/tests/")), "tests are no rules");
}
