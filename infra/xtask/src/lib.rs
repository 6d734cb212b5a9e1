//! The local stack and what speaks to it; the commands are in `main.rs`.
#![allow(missing_docs)]
pub mod tables;
