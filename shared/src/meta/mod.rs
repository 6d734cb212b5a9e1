//! Meta's wire formats: webhooks and their signatures.
