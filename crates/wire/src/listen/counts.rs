//! How many connections there are, together and for each address.
//!
//! Keeps: whoever was counted is counted out when his connection is dropped, on every path.

use super::{ListenNote, ListenTerms};
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex},
};

/// The numbers, behind one lock that is held for a few instructions.
#[derive(Debug, Default)]
pub(super) struct Counts(Mutex<Numbers>);

#[derive(Debug, Default)]
struct Numbers {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One connection that is counted.
#[derive(Debug)]
pub(super) struct Counted {
    counts: Arc<Counts>,
    address: IpAddr,
}

/// Which limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    All,
    Address,
}

// === impl Counts ===

impl Counts {
    /// Counts a connection in, if there is room.
    pub(super) fn enter(
        self: &Arc<Self>,
        address: IpAddr,
        terms: &ListenTerms,
    ) -> Result<Counted, Full> {
        let address = network(address);
        let mut numbers = self.0.lock().expect("nothing panics under this lock");
        if numbers.all >= terms.connections_max {
            return Err(Full::All);
        }
        let of_address = numbers.by_address.entry(address).or_default();
        if *of_address >= terms.per_address_max && !address.is_loopback() {
            return Err(Full::Address);
        }
        *of_address += 1;
        numbers.all += 1;
        Ok(Counted { counts: Arc::clone(self), address })
    }
}

/// Whoever has one address of IPv6 has all of its network.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)))
        }
        other => other,
    }
}

// === impl Counted ===

impl Drop for Counted {
    fn drop(&mut self) {
        let mut numbers = self.counts.0.lock().expect("nothing panics under this lock");
        numbers.all -= 1;
        if let Some(of_address) = numbers.by_address.get_mut(&self.address) {
            *of_address -= 1;
            if *of_address == 0 {
                numbers.by_address.remove(&self.address);
            }
        }
    }
}

// === impl Full ===

impl Full {
    pub(super) fn note(self, address: SocketAddr, terms: &ListenTerms) -> ListenNote {
        match self {
            Self::All => ListenNote::TooMany { address, max: terms.connections_max },
            Self::Address => ListenNote::TooManyOfAddress { address, max: terms.per_address_max },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(connections_max: usize, per_address_max: usize) -> ListenTerms {
        ListenTerms { connections_max, per_address_max, ..ListenTerms::default() }
    }

    #[test]
    fn who_leaves_makes_room() {
        let counts = Arc::new(Counts::default());
        let terms = terms(3, 2);
        let enter = |address: &str| counts.enter(address.parse().unwrap(), &terms);
        let first = enter("10.0.0.1").unwrap();
        let second = enter("::ffff:10.0.0.1").unwrap();
        assert_eq!(enter("10.0.0.1").unwrap_err(), Full::Address);
        let _third = enter("10.0.0.2").unwrap();
        assert_eq!(enter("10.0.0.3").unwrap_err(), Full::All);
        drop(first);
        let fourth = enter("10.0.0.1").unwrap();
        drop((fourth, second));
        assert_eq!(counts.0.lock().unwrap().by_address.len(), 1);
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address_and_this_machine_is_not_bounded() {
        let counts = Arc::new(Counts::default());
        let terms = terms(10, 1);
        let enter = |address: &str| counts.enter(address.parse().unwrap(), &terms);
        let _one = enter("2001:db8::1").unwrap();
        assert_eq!(enter("2001:db8::2:1").unwrap_err(), Full::Address);
        let _other = enter("2001:db8:0:1::1").unwrap();
        let _many: Vec<_> = (0..3).map(|_| enter("127.0.0.1").unwrap()).collect();
        let _more: Vec<_> = (0..3).map(|_| enter("::1").unwrap()).collect();
    }
}
