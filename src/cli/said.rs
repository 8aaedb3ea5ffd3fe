//! Errors, as clap words them, begun as all others are.

/// Complains in one sentence.
pub fn complain(error: &clap::Error) {
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    crate::commands::complain(&text.trim_end());
}
