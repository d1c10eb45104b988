//! Any bytes as `requirements.txt` and `poetry.lock` for the native safety-db: an answer that is
//! JSON, and every file in it either scanned or failed.
#![no_main]

use assay_tools::native;
use libfuzzer_sys::fuzz_target;
use std::{ffi::OsString, fs};

const DATA: &str = r#"{"$meta": {"timestamp": 1625119200},
"flask": [{"advisory": "a", "cve": "CVE-2018-1000656", "id": "pyup.io-1", "specs": ["<0.12.3"]}],
"a": [{"advisory": "b", "id": "pyup.io-2", "specs": [">=1,<2", "==3"]}]}"#;

fuzz_target!(|text: &[u8]| {
    let dir = tempfile::tempdir().expect("there is a temporary folder");
    let data = dir.path().join("insecure_full.json");
    fs::write(&data, DATA).expect("it is ours");
    let mut args: Vec<OsString> = vec!["--data".into(), data.into()];
    for name in ["requirements.txt", "poetry.lock"] {
        let file = dir.path().join(name);
        fs::write(&file, text).expect("it is ours");
        args.push(file.into());
    }
    let (mut out, mut complaints) = (Vec::new(), Vec::new());
    let code = native::run("safety-db", &args, &mut out, &mut complaints);
    assert!(code <= 1, "{}", String::from_utf8_lossy(&complaints));
    let answer: serde_json::Value = serde_json::from_slice(&out).expect("the answer is JSON");
    let count = |key: &str| answer[key].as_array().map_or(0, Vec::len);
    assert_eq!(count("scanned") + count("failed"), 2);
    assert_eq!(count("findings") > 0, code == 1);
});
