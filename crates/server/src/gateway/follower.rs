//! One run, for one client.

use crate::{
    Answer,
    desk::Seat,
    following::{Following, Step, end_of_seat},
    log::End,
    outgoing::{Outgoing, say, say_end},
    progress::Progress,
};
use assay_model::TaskId;
use assay_rules::ledger::Released;
use assay_wire::{
    Analyzer, TaskState, TaskStatus,
    gateway::{Frame, Reply},
    service::AnalysisReply,
};

/// Follows a run for the request of this `id`.
pub(super) struct Follower {
    pub(super) outgoing: Outgoing,
    pub(super) id: String,
    pub(super) analyzer: Analyzer,
}

// === impl Follower ===

impl Follower {
    /// Tells all that happens, and the end.
    pub(super) async fn follow(self, seat: Seat) {
        let mut following = Following::new(seat);
        if following.opened().await {
            // Said when it is on disk, and not before.
            let queued = TaskStatus::new(TaskState::Queued, Some(following.task().clone()));
            self.say(Reply::Task(Box::new(queued))).await;
        }
        let mut progress = Progress::new(following.task().clone());
        let body = loop {
            match following.next().await {
                Step::Events(events) => {
                    for event in events {
                        self.say(Reply::Progress(Box::new(progress.of(&event)))).await;
                    }
                }
                Step::End(end) => break end.body.clone(),
                Step::Released(why) => break released(self.analyzer, following.task(), why).body,
            }
        };
        let frame = Frame::answering(self.id.clone(), Reply::AnalysisResult(body));
        say_end(&self.outgoing, frame.encode()).await;
    }

    async fn say(&self, reply: Reply) {
        say(&self.outgoing, Frame::answering(self.id.clone(), reply).encode()).await;
    }
}

/// The end for one whose seat was given back while the run goes on.
pub(super) fn released(analyzer: Analyzer, task: &TaskId, why: Released) -> End {
    let (status, fault) = end_of_seat(why);
    let analysis = Answer::refused((None, None), status, &fault).analysis;
    let mut reply = AnalysisReply::new(analyzer, status, analysis);
    reply.task_id = Some(task.clone());
    End { status, body: reply.to_payload(), fault: Some(fault) }
}
