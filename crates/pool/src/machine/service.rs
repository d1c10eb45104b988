//! One service: those who wait for it, in the order in which they came, and its replicas.

use super::{EndpointId, WaiterId};
use assay_rules::{
    ById, Dice, Instant,
    balance::{BalanceTerms, Balancer, Pick, ReplicaId},
};
use std::{collections::BTreeMap, sync::Arc};

#[derive(Debug)]
pub(super) struct Service {
    pub(super) name: Arc<str>,
    pub(super) balancer: Balancer,
    pub(super) endpoints: ById<ReplicaId, EndpointId>,
    /// Numbers of waiters grow, so the first is who has waited longest.
    pub(super) waiting: BTreeMap<WaiterId, Waiting>,
    /// Whether its first cannot be served in the present round. Then none of it can.
    pub(super) is_stuck: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) since: Instant,
    /// Where he does not want to go again, if he can help it.
    pub(super) avoid: Option<ReplicaId>,
}

// === impl Service ===

impl Service {
    pub(super) fn new(name: &str, terms: BalanceTerms) -> Self {
        Self {
            name: name.into(),
            balancer: Balancer::new(terms),
            endpoints: ById::default(),
            waiting: BTreeMap::new(),
            is_stuck: false,
        }
    }

    /// Picks a replica, the one to avoid only when there is no other.
    pub(super) fn pick(&mut self, now: Instant, dice: &mut Dice, avoid: Option<ReplicaId>) -> Pick {
        match (self.balancer.pick(now, dice, avoid), avoid) {
            (Pick::Full, Some(_)) => self.balancer.pick(now, dice, None),
            (pick, _) => pick,
        }
    }
}
