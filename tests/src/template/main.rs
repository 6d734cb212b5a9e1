//! What the template deploys, read without deploying it.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod alarms;
mod deployed;
mod functions;
mod limits;
mod promises;
mod reader;
mod released;
