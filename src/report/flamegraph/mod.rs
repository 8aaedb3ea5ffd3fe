//! Flame graphs as SVG, by the inferno crate. Its licence is CDDL-1.0, so it is built in only where
//! that is asked for.

#[cfg(not(feature = "flamegraph"))]
mod disabled;
#[cfg(feature = "flamegraph")]
mod enabled;

#[cfg(not(feature = "flamegraph"))]
pub use disabled::{check, diff, graph};
#[cfg(feature = "flamegraph")]
pub use enabled::{check, diff, graph};

/// None can be drawn.
#[derive(Debug, thiserror::Error)]
#[error(
    "this closewait was built without flame graphs: cargo install --path . --features flamegraph \
     builds one with them, in its source; or draw what --folded prints, with flamegraph.pl"
)]
pub struct NotBuiltIn;
