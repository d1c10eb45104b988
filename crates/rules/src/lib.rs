//! What may happen: scheduling now; ledger, breaker and pool rules later. Pure.
