//! What is in force on this machine, in words for a report.

/// Every layer that holds a tool, strongest first, each with what it does not do.
pub fn describe_isolation() -> Vec<String> {
    vec![
        "process-group: a tool and all it starts in its group are killed when it ends, is cancelled \
         or times out; a process that leaves the group (a daemon) is not held, and files and \
         network are not fenced"
            .to_owned(),
        "clean-environment: a tool sees an allow-list of variables, a private home and a private \
         temporary folder"
            .to_owned(),
        "limits: time, size of output and of files, no core files; memory and processes are not \
         limited"
            .to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_words_do_not_promise_what_a_group_cannot_hold() {
        let words = super::describe_isolation().join("\n");
        assert!(words.starts_with("process-group: "));
        assert!(words.contains("not held") && words.contains("not fenced"));
    }
}
