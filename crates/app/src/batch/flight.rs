//! Several apps under way at once, in one task.
//!
//! Keeps: dropping it drops all of them at once, so that no tool and no folder outlives a second
//! Ctrl-C; a panic ends one app and no other.
//!
//! Does not: spawn. There are only a few at a time, and their tools run elsewhere.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::Poll,
};

/// Futures of which the next that ends is wanted, each with a name.
pub(crate) struct Flights<'a, N, T> {
    all: Vec<(N, Flight<'a, T>)>,
}

type Flight<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

// === impl Flights ===

impl<'a, N: Copy, T> Flights<'a, N, T> {
    pub(crate) fn new() -> Self {
        Self { all: Vec::new() }
    }

    pub(crate) fn add(&mut self, name: N, flight: impl Future<Output = T> + 'a) {
        self.all.push((name, Box::pin(flight)));
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Waits for the next to end; for ever where there is none. One that panics ends with the words
    /// of the panic.
    ///
    /// # Cancel safety
    ///
    /// Safe: what has not ended stays.
    pub(crate) async fn next(&mut self) -> (N, Result<T, String>) {
        poll_fn(|context| {
            for index in 0..self.all.len() {
                let (name, flight) = &mut self.all[index];
                let name = *name;
                // A flight that panicked is never looked at again, so it cannot be seen half done.
                let polled = catch_unwind(AssertUnwindSafe(|| flight.as_mut().poll(context)));
                let ended = match polled {
                    Ok(Poll::Pending) => continue,
                    Ok(Poll::Ready(value)) => Ok(value),
                    Err(panic) => Err(panic_words(&*panic)),
                };
                drop(self.all.remove(index));
                return Poll::Ready((name, ended));
            }
            Poll::Pending
        })
        .await
    }
}

/// Returns what a panic said.
pub(crate) fn panic_words(panic: &(dyn std::any::Any + Send)) -> String {
    let words = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    words.unwrap_or("no words").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn they_end_in_their_own_order_and_a_panic_is_one_end() {
        let (first, waits) = oneshot::channel::<u32>();
        let mut flights = Flights::new();
        flights.add(1, async move { waits.await.unwrap() });
        flights.add(2, async { panic!("out of cheese") });
        flights.add(3, async { 7 });
        assert_eq!(flights.next().await, (2, Err("out of cheese".to_owned())));
        assert_eq!(flights.next().await, (3, Ok(7)));
        first.send(5).unwrap();
        assert_eq!(flights.next().await, (1, Ok(5)));
        assert_eq!(flights.len(), 0);
    }
}
