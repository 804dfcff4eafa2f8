//! Documents as JSON, and its schema.
