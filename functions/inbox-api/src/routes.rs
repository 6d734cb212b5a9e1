//! The routes, each of which stands with its handler.

use crate::app::Route;
use crate::{conversations, messages};

/// The routes.
pub static ROUTES: &[&Route] = &[&conversations::LIST, &messages::LIST];
