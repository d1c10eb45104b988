//! What tools say: the catalogue, their reports turned into findings, their verdicts. Pure.
