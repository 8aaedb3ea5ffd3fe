//! Flags of flame graphs.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::commands::is_stdout;
use crate::commands::read::Flames;
use crate::report::flamegraph;

#[derive(Args)]
pub(super) struct FlameArgs {
    /// In place of the report, a line for each kind of finding (with --all, of connection), as
    /// flamegraph.pl reads it: peer;user/database;statements in order;how it ended, and how many
    #[arg(long, conflicts_with = "format", help_heading = "Flame graphs")]
    folded: bool,

    /// The folded stacks as a picture (SVG), beside the report; - is standard output, in place of the
    /// report
    ///
    /// In builds with the feature `flamegraph`: the inferno crate, which it adds, is under CDDL-1.0.
    #[arg(long, value_name = "FILE", help_heading = "Flame graphs")]
    flamegraph: Option<PathBuf>,

    /// The findings against the connections of the same capture that were closed: what only one of
    /// them did stands out
    #[arg(long, value_name = "FILE", help_heading = "Flame graphs")]
    flamegraph_diff: Option<PathBuf>,
}

impl FlameArgs {
    /// `output`: of the report.
    pub(super) fn flames(self, output: Option<&Path>) -> Result<Flames, String> {
        let (graph, diff) = (self.flamegraph, self.flamegraph_diff);
        if graph.is_some() || diff.is_some() {
            flamegraph::check().map_err(|error| error.to_string())?;
        }
        let drawn = [&graph, &diff].into_iter().flatten();
        let on_stdout = drawn.filter(|path| is_stdout(path)).count()
            + usize::from(self.folded && output.is_none());
        if on_stdout > 1 {
            return Err("standard output can take one of them: name files for the others".into());
        }
        Ok(Flames { folded: self.folded, graph, diff })
    }
}
