//! The example of the integrator's guide, against the real binary.

use super::{with_a_held_tool, with_an_app};
use crate::{fake::Fake, world::LONG};

#[path = "../../../examples/integrate.rs"]
#[expect(dead_code, unreachable_pub, reason = "it is a program of its own")]
mod integrate;

use super::served::Served;
use assay_model::TaskId;
use assay_wire::{AnalysisStatus, TaskState, gateway::Reply};
use integrate::Gateway;
use serde_json::Value;
use std::{num::NonZeroU32, sync::Arc};
use testkit::lives;
use tokio::{runtime::Runtime, sync::mpsc, task::JoinSet};

fn cap(cap: u32) -> NonZeroU32 {
    NonZeroU32::new(cap).unwrap()
}

#[test]
fn an_app_is_analysed_through_the_pool_and_its_steps_are_told() {
    let world = with_an_app(Fake::finding("high"));
    let served = Served::gateway(&world, &[]);
    Runtime::new().unwrap().block_on(async {
        let gateway = Gateway::new(&served.url(), None, cap(50));
        let (mut tasks, mut steps) = (0, 0);
        let tell = |step: &Reply| match step {
            Reply::Task(status) => {
                assert_eq!(status.state, TaskState::Queued);
                tasks += 1;
            }
            _ => steps += 1,
        };
        let reply = gateway.analyze(("acme", 1), LONG, tell).await.unwrap();
        assert_eq!(reply.status, AnalysisStatus::Success);
        let analysis: Value = reply.analysis.parse().unwrap();
        assert_eq!(analysis["summary"]["total_findings"], 1, "{analysis}");
        assert!(tasks == 1 && steps > 0, "{tasks} {steps}");
        let why = gateway.analyze(("acme", 7), LONG, |_| ()).await;
        let why = why.map(|reply| reply.status);
        assert!(matches!(why, Ok(AnalysisStatus::Error) | Err(_)), "{why:?}");
    });
}

#[test]
fn callers_beyond_the_cap_wait_and_do_not_fail() {
    let world = with_an_app(Fake::clean());
    let served = Served::gateway(&world, &[]);
    Runtime::new().unwrap().block_on(async {
        let gateway = Arc::new(Gateway::new(&served.url(), None, cap(50)));
        let mut lent = Vec::new();
        for _ in 0..50 {
            lent.push(gateway.lease(LONG).await.unwrap());
        }
        let mut callers = JoinSet::new();
        for _ in 0..100 {
            let gateway = Arc::clone(&gateway);
            callers.spawn(async move { gateway.status(LONG).await.map_err(|why| why.to_string()) });
        }
        while !gateway.own_connections().ends_with(" 100 callers wait") {
            tokio::task::yield_now().await;
        }
        assert!(gateway.own_connections().starts_with("50 of 50 connections are lent"));
        drop(lent);
        while let Some(answered) = callers.join_next().await {
            answered.unwrap().unwrap();
        }
        assert!(gateway.own_connections().starts_with("0 of 50 connections are lent"));
    });
}

#[test]
fn a_task_is_cancelled_by_its_name_and_ends_as_cancelled() {
    let world = with_a_held_tool();
    let served = Served::gateway(&world, &[]);
    Runtime::new().unwrap().block_on(async {
        let gateway = Arc::new(Gateway::new(&served.url(), None, cap(2)));
        let (tell, mut told) = mpsc::channel::<TaskId>(1);
        let analysing = tokio::spawn({
            let gateway = Arc::clone(&gateway);
            async move {
                let tell = |step: &Reply| {
                    if let Reply::Task(status) = step {
                        tell.try_send(status.task_id.clone().unwrap()).unwrap();
                    }
                };
                let reply = gateway.analyze(("acme", 1), LONG, tell).await;
                reply.map(|reply| reply.status).map_err(|why| why.to_string())
            }
        });
        let task = told.recv().await.unwrap();
        let pids = world.pids("pids", 1);
        let status = gateway.status(LONG).await.unwrap();
        let pool: Value = status.pool.unwrap().parse().unwrap();
        assert_eq!(
            (&pool["active_connections"], &pool["max_concurrent_connections"]),
            (&1.into(), &50.into())
        );
        assert_eq!(gateway.cancel(&task, LONG).await.unwrap(), TaskState::Cancelled);
        assert!(pids.iter().all(|pid| !lives(*pid)));
        assert_eq!(analysing.await.unwrap(), Ok(AnalysisStatus::Cancelled));
        assert_eq!(gateway.cancel(&task, LONG).await.unwrap(), TaskState::AlreadyFinished);
    });
}
