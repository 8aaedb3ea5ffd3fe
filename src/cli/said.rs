//! Help and errors, as clap words them, on the terminal.

use crate::printable::printable;

/// Prints what clap says, which can quote the user's own words: they may come from a name that others chose.
pub fn say(error: &clap::Error) {
    let plain = error.render().to_string();
    let safe: String = plain.split_inclusive('\n').map(safe_line).collect();
    if safe == plain {
        // Nothing is left to do if even this cannot be printed.
        let _ = error.print();
    } else {
        eprint!("{safe}");
    }
}

fn safe_line(line: &str) -> String {
    match line.strip_suffix('\n') {
        Some(line) => printable(line) + "\n",
        None => printable(line),
    }
}
