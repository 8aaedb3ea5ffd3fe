//! Bounds, damage, and what is missing.
