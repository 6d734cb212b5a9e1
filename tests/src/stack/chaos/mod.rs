//! Erasures while processes of intake and of the worker are stopped, continued and killed. No row
//! is left, and the receipt counts what was there.
//!
//! These tests have the stack to themselves, one at a time: a stopped function is stopped for
//! everyone. `cargo xtask test` runs each test once, `cargo xtask chaos` round after round. Each
//! round has a seed (`NUMIB_CHAOS_SEED`), which chooses numbers, delays and kinds of updates.

mod at_once;
mod busy;
mod killed;
mod processes;
mod redelivered;
mod resumed;
mod rows;
mod scene;
mod stopped;
