//! Documents as one HTML file.
