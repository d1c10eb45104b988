//! The choice itself: a zone by health, two replicas by weight, the less busy one of them.

use super::{
    Balancer, Pick, ReplicaId, Zone,
    replica::{Replica, WHOLE},
    zone::Members,
};
use crate::{Dice, Instant};

/// How often one that starts slowly is passed over in one draw. After that it is taken, so that a
/// service that begins with newcomers only is served at once.
const REDRAWS_MAX: u32 = 8;

/// A zone that is whole, in percent. Shares of traffic are counted in it.
const HEALTHY: u64 = 100;

impl Balancer {
    /// Picks a replica for one call. Its driver asks the replica's breaker, then says
    /// [`began`](Self::began). `except` is the one that a call shall not go to again.
    pub fn pick(&mut self, now: Instant, dice: &mut Dice, except: Option<ReplicaId>) -> Pick {
        self.open_gates(now);
        let Some(except) = except else {
            return self.pick_any(now, dice);
        };
        // It stands aside for as long as the choice lasts.
        let room = self.room_of(except);
        self.set_room(except, 0);
        let pick = self.pick_any(now, dice);
        self.set_room(except, room);
        pick
    }

    fn pick_any(&self, now: Instant, dice: &mut Dice) -> Pick {
        let Some(members) = self.zone(dice) else { return self.none() };
        let one = self.draw(members, None, now, dice);
        let two = self.draw(members, Some(one), now, dice);
        let (first, second) = (self.member(members, one), self.member(members, two));
        let half_life = self.terms.penalty_half_life;
        let is_second = first.is_busier_than(second, now, half_life);
        Pick::Replica(members.ids[if is_second { two } else { one }])
    }

    /// Draws a zone by the traffic that it is to keep; if it has no room, the nearest that has.
    fn zone(&self, dice: &mut Dice) -> Option<&Members> {
        let whole: u64 = self.shares().map(|(_, share)| share).sum();
        let mut at = dice.below(whole);
        let drawn = self.shares().find(|(_, share)| {
            let is_here = at < *share;
            at = at.saturating_sub(*share);
            is_here
        });
        let has_room = |members: &&Members| members.room.total() > 0;
        let (zone, _) = drawn?;
        let drawn = self.zones.get(&zone).filter(has_room);
        drawn.or_else(|| self.zones.values().find(has_room))
    }

    /// Each zone with the traffic that it is to keep, nearest first, in percent: 1.4 times its
    /// health, as long as something is left. Together less than 100 if all zones are ill.
    fn shares(&self) -> impl Iterator<Item = (Zone, u64)> {
        let overprovisioning = u64::from(self.terms.overprovisioning);
        let mut left = HEALTHY;
        self.zones.iter().filter(|(_, members)| members.healthy > 0).map(move |(zone, members)| {
            let health = members.healthy * overprovisioning / members.total;
            // A zone with anything healthy in it is worth a little, however large it is.
            let share = health.clamp(1, HEALTHY).min(left);
            left -= share;
            (*zone, share)
        })
    }

    /// Draws a member with room, other than `not` if there is another one. Newcomers are passed
    /// over the more often the newer they are.
    fn draw(&self, members: &Members, not: Option<usize>, now: Instant, dice: &mut Dice) -> usize {
        let mut drawn = Self::draw_one(members, not, dice);
        for _ in 0..REDRAWS_MAX {
            let share = self.member(members, drawn).share(now, self.terms.slow_start);
            if share == WHOLE || dice.below(WHOLE) < share {
                break;
            }
            drawn = Self::draw_one(members, not, dice);
        }
        drawn
    }

    fn draw_one(members: &Members, not: Option<usize>, dice: &mut Dice) -> usize {
        let room = &members.room;
        let Some(not) = not else { return room.find(dice.below(room.total())).index };
        let hidden = room.weight(not);
        if hidden == room.total() {
            return not;
        }
        // The share of `not` is cut out: what lies behind it moves up.
        let at = dice.below(room.total() - hidden);
        let drawn = room.find(at);
        let is_before = drawn.index < not;
        if is_before { drawn.index } else { room.find(at + hidden).index }
    }

    /// Why nobody was picked.
    fn none(&self) -> Pick {
        if self.zones.values().any(|members| members.healthy > 0) {
            return Pick::Full;
        }
        let earliest = self.shut.first().map(|(until, _)| *until);
        earliest.map_or(Pick::NoReplica, |earliest| Pick::AllShut { earliest })
    }

    fn member(&self, members: &Members, nth: usize) -> &Replica {
        let id = members.ids[nth];
        let taken = self.places[id.index as usize].taken.as_ref();
        &taken.expect("`remove` takes it out of its zone as well").replica
    }

    fn room_of(&self, id: ReplicaId) -> u64 {
        let Some(taken) = self.taken(id) else { return 0 };
        self.zones
            .get(&taken.replica.terms.zone)
            .map_or(0, |members| members.room.weight(taken.nth))
    }

    fn set_room(&mut self, id: ReplicaId, room: u64) {
        let Some(taken) = self.taken(id) else { return };
        let (zone, nth) = (taken.replica.terms.zone, taken.nth);
        if let Some(members) = self.zones.get_mut(&zone) {
            members.room.set(nth, room);
        }
    }
}
