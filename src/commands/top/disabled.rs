//! Without the feature `tui`: there is no screen.

use super::TopCommand;
use crate::commands::{Exit, complain};

/// Says so.
pub fn top(_: TopCommand) -> Exit {
    complain(
        &"this closewait was built without a screen (feature tui); use closewait sockets --watch, or closewait FILE",
    );
    Exit::Failed
}

/// Without a screen nobody asks for it.
pub fn keeper(_: TopCommand) -> Exit {
    Exit::Failed
}
