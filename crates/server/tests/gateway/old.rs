//! A service of the first system behind the gateway: no events, no task, a close after each answer.

use crate::{
    World, analysis,
    common::{receive, send, until},
};
use assay_server::{Backend, Gateway, GatewayTerms, Resolved};
use assay_wire::{Analyzer, CloseCode, Connection, Limits, Utf8Bytes, pair};
use serde_json::json;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Answers one analysis as the Python service does.
async fn old_service(mut connection: Connection) {
    let _request = connection.next().await;
    let words = [
        json!({
            "type": "progress_update", "stage": "scanning", "message": "Scanning 3 files",
            "service": "static-analyzer", "data": { "stage": "scanning", "progress": 0.4,
            "message": "Scanning 3 files", "issues_found": 2 },
        }),
        json!({
            "type": "static_analysis_result", "status": "success", "service": "static-analyzer",
            "analysis": { "summary": { "total_findings": 2 } },
        }),
    ];
    for word in words {
        connection.send(Utf8Bytes::from(word.to_string())).await.unwrap();
    }
    connection.close(CloseCode::NORMAL, "Analysis complete").await.ok();
}

fn before_an_old_service() -> Gateway {
    let connect = || {
        let (ours, theirs) = pair(Limits::local());
        tokio::spawn(old_service(theirs));
        ours
    };
    before(Backend::Local { slots: 1, connect: Box::new(connect) })
}

fn before(backend: Backend) -> Gateway {
    let resolve = Arc::new(|request| {
        let found = Resolved { request, digest: None };
        Box::pin(async move { Ok(found) }) as _
    });
    Gateway::start(GatewayTerms::default(), vec![(Analyzer::Static, backend)], None, resolve)
}

#[tokio::test(start_paused = true)]
async fn its_progress_is_passed_on_in_its_words() {
    let gateway = before_an_old_service();
    let mut client = World::client_at(&gateway);
    send(&mut client, analysis("job", "any", json!({}))).await;
    assert_eq!(receive(&mut client).await["data"]["state"], "queued");
    let told = receive(&mut client).await;
    assert_eq!(
        (&told["type"], &told["correlation_id"]),
        (&json!("progress_update"), &json!("job"))
    );
    assert_eq!(told["data"]["stage"], "scanning");
    assert_eq!(told["data"]["message"], "Scanning 3 files");
    let result = until(&mut client, "analysis_result").await;
    assert_eq!(result["data"]["analysis"]["summary"]["total_findings"], 2);
}

/// Many who ask at once have each replica asked once.
#[tokio::test(start_paused = true)]
async fn the_health_of_replicas_is_asked_for_once_however_many_want_it() {
    static CONNECTIONS: AtomicUsize = AtomicUsize::new(0);
    let connect = || {
        let (ours, theirs) = pair(Limits::local());
        CONNECTIONS.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(healthy_service(theirs));
        ours
    };
    let backend = Backend::Local { slots: 1, connect: Box::new(connect) };
    let gateway = before(backend);
    let mut clients: Vec<Connection> = (0..20).map(|_| World::client_at(&gateway)).collect();
    for client in &mut clients {
        let wish = json!({ "type": "status_request", "id": "h", "data": { "health": true } });
        send(client, wish).await;
    }
    for client in &mut clients {
        let told = until(client, "status_update").await;
        let replica = &told["data"]["replicas"][0];
        assert_eq!(replica["health"]["status"], "healthy", "{told}");
        assert_eq!(replica["service"], "static-analyzer");
    }
    assert_eq!(CONNECTIONS.load(Ordering::Relaxed), 1);
}

/// Says that it is well.
async fn healthy_service(mut connection: Connection) {
    let _request = connection.next().await;
    let word = json!({
        "type": "health_response", "status": "healthy", "service": "static-analyzer",
        "version": "1.0.0", "uptime": 3.5, "available_tools": ["bandit"],
    });
    connection.send(Utf8Bytes::from(word.to_string())).await.unwrap();
    while let Ok(Some(_)) = connection.next().await {}
}
