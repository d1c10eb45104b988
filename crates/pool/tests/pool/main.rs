//! What holds of the pool: of its machine, of the shell under paused time, of real sockets.

mod decisions; // the machine at the edges: exact times, exact numbers
mod fake; // a connector that does as told
mod life; // slow probes, a drain, the end of the pool
mod model; // the machine against a naive twin
mod seeds; // simulations by seed
mod shell; // deadlines, cancellation, shutdown, under paused time
mod simulation; // thousands of seeds against the shell
mod sockets; // real connections
mod world; // thousands of seeds against the machine
