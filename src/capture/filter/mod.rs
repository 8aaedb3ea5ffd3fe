//! Filters in tcpdump's language (BPF expressions).

#[cfg(not(feature = "libpcap"))]
mod disabled;
#[cfg(feature = "libpcap")]
mod enabled;
#[cfg(feature = "libpcap")]
mod possible;

#[cfg(not(feature = "libpcap"))]
pub use disabled::Filter;
#[cfg(feature = "libpcap")]
pub use enabled::Filter;

/// The reason why an expression is not a filter.
#[derive(Debug, thiserror::Error)]
pub enum WrongFilter {
    /// libpcap refuses the expression.
    #[error("the filter {expression:?} is wrong: {error} (pcap-filter(7) describes the language)")]
    Wrong {
        /// The expression as it was written.
        expression: String,
        /// libpcap's reason.
        error: String,
    },
    /// This build has no libpcap, and so no BPF.
    #[error(
        "this closewait was built without libpcap: filter first, tcpdump -r FILE -w - EXPR | closewait -"
    )]
    NotBuiltIn,
}
