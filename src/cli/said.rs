//! Errors, as clap words them, begun as all others are.

use crate::printable::printable;

/// Complains in one sentence. It can quote the user's own words, which may come from a name that others
/// chose: nothing in it is obeyed by a terminal.
pub fn complain(error: &clap::Error) {
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let safe: Vec<String> = text.trim_end().split('\n').map(printable).collect();
    crate::commands::complain(&safe.join("\n"));
}
