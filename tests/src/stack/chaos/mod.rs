//! Erasures while the processes of intake and of the worker stand still, go on and are killed: no
//! row is left, and the receipt counts what was there.
//!
//! These tests have the stack to themselves, one at a time: whoever stops a function stops it for
//! all. `cargo xtask test` runs each once, `cargo xtask chaos` round after round, each with a seed
//! of its own (`NUMIB_CHAOS_SEED`), which chooses numbers, delays and kinds of updates.

mod at_once;
mod busy;
mod killed;
mod processes;
mod redelivered;
mod resumed;
mod rows;
mod scene;
mod stopped;
