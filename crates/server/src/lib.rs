//! What is served: the base of every service, and the gateway before them.
//!
//! Owns sessions, slots, the desk, and what becomes of a request between its first frame and its
//! one end. Keeps: every accepted request has exactly one end; everything is answered on every
//! connection at any time; nothing waits without a deadline, no queue is without a bound.
//!
//! Does not: know what an analysis is (an [`Analyze`] does), or parse a command line.

#![forbid(unsafe_code)]

mod analyzer; // what a service does
mod asked; // which run a request asked for
mod desk; // who waits for which run, and who may begin
mod disks; // the disks that a server writes to
mod following; // a seat at a run, and what is seen from it
mod gateway; // sessions, desk and pool before all services
mod log; // the events of one run, and its one end
mod margin; // one deadline, passed down
mod metrics; // what is counted, for Prometheus
mod names; // how a run is called that its client gave no name
mod outgoing; // what one session still has to say
mod progress; // an event, as clients are told it
mod refusal; // why there is no seat, in words
mod service; // the base of every service

pub use analyzer::{Analyze, Answer, Job, Tell, ToolsAtHand};
pub use disks::Disks;
pub use gateway::{
    Backend, Client, Dial, Gateway, GatewayTerms, LookUp, Recovered, Resolve, Resolved, Resume,
    Scope, Scopes,
};
pub use metrics::CONTENT_TYPE as METRICS_CONTENT_TYPE;
pub use service::{OwnRun, OwnStep, Service, ServiceTerms};
