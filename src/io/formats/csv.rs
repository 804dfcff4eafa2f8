//! Documents as CSV.
