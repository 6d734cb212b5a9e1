//! The intake function against a database: what it stores, drops, refuses and survives.

mod batches;
mod crossing;
mod days;
mod deliveries;
mod door;
mod erasure;
mod faults;
mod fixtures;
