//! `--format parquet`: a row a connection in flat columns, for Spark, DuckDB, ClickHouse and their like.
//!
//! By Apache's own crate, which many crates come with: it is built in only where that is asked for (the
//! feature `fleet`). `columns` has the columns, `table` writes them.

#[cfg(feature = "fleet")]
pub mod columns;
#[cfg(not(feature = "fleet"))]
mod disabled;
#[cfg(feature = "fleet")]
mod enabled;
#[cfg(feature = "fleet")]
pub mod table;

#[cfg(not(feature = "fleet"))]
pub use disabled::{check, sink};
#[cfg(feature = "fleet")]
pub use enabled::{check, sink};

/// None can be written.
#[derive(Debug, thiserror::Error)]
#[error(
    "this closewait was built without Parquet: cargo install --path . --features fleet builds one \
     with it, in its source"
)]
pub struct NotBuiltIn;
