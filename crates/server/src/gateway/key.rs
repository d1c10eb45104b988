//! What makes two requests the same work.

use super::Resolved;
use crate::desk::WorkKey;
use assay_wire::{AnalysisRequest, Route};
use std::hash::{Hash, Hasher};

/// Names the work of a request: the model, the app, what is looked for, with which tools and
/// settings, in which source. Where the client names a task that name stands for the last four.
///
/// Not in it: who asks, when, how long he waits, how urgent it is.
pub(super) fn key_of(resolved: &Resolved, route: &Route) -> WorkKey {
    WorkKey::of(|hasher| hash(resolved, route, hasher))
}

fn hash(resolved: &Resolved, route: &Route, hasher: &mut impl Hasher) {
    let AnalysisRequest {
        model,
        app_number,
        analysis_type,
        source_path,
        tools,
        config,
        target_urls,
        users,
        duration_s,
        task_id,
        // Neither changes what is found.
        timeout_s: _,
        priority: _,
        deadline_ms: _,
        detach: _,
        refresh: _,
        traceparent: _,
        tracestate: _,
    } = &resolved.request;
    (model, app_number).hash(hasher);
    if let Some(task) = task_id {
        task.hash(hasher);
        return;
    }
    route.service.as_str().hash(hasher);
    analysis_type.as_ref().map(|kind| kind.as_str().to_owned()).hash(hasher);
    let mut tools = tools.clone();
    tools.sort_unstable();
    (tools, target_urls, users, duration_s.map(f64::to_bits)).hash(hasher);
    // The keys of an object are in order, so that equal settings are equal texts.
    serde_json::Value::Object(config.clone()).to_string().hash(hasher);
    (source_path, &resolved.digest).hash(hasher);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends where its premise does")]
mod tests {
    use super::*;
    use assay_model::TaskId;

    fn key(change: impl FnOnce(&mut AnalysisRequest)) -> WorkKey {
        let mut request = AnalysisRequest {
            model: Some("m".to_owned()),
            app_number: Some(1),
            tools: vec!["a".to_owned(), "b".to_owned()],
            ..AnalysisRequest::default()
        };
        change(&mut request);
        let route = Route::of(None, request.analysis_type.as_ref()).unwrap();
        key_of(&Resolved { request, digest: Some("d".to_owned()) }, &route)
    }

    #[test]
    fn what_changes_nothing_that_is_found_changes_no_key() {
        let same = key(|_| {});
        assert_eq!(key(|r| r.tools.reverse()), same);
        assert_eq!(key(|r| (r.timeout_s, r.priority) = (Some(3.0), Some(3))), same);
        assert_ne!(key(|r| r.app_number = Some(2)), same);
        assert_ne!(key(|r| r.tools.truncate(1)), same);
        assert_ne!(
            key(|r| drop(r.config.insert("ruff".to_owned(), serde_json::json!({ "x": 1 })))),
            same
        );
    }

    #[test]
    fn a_named_task_is_the_same_work_whatever_else_it_says() {
        let named = |tools: &[&str]| {
            key(|request| {
                request.task_id = Some(TaskId::new("t").unwrap());
                request.tools = tools.iter().map(|&tool| tool.to_owned()).collect();
            })
        };
        assert_eq!(named(&["a"]), named(&["b"]));
        assert_ne!(named(&["a"]), key(|request| request.tools = vec!["a".to_owned()]));
    }
}
