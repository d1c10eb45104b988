//! A service's dialect: flat objects with a `type`.

mod reply; // what a service sends
mod request; // what a service is asked

pub use reply::{AnalysisReply, Health, HealthStatus, Reply, ServiceFault};
pub use request::{Frame, Request};
