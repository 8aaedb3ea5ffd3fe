//! A bar on the terminal when reading takes longer than a second.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

const PATIENCE: Duration = Duration::from_secs(1);

/// Shows how far reading has come, on standard error. Silent where that is no terminal.
#[derive(Debug)]
pub struct Progress {
    started: Instant,
    bar: Option<ProgressBar>,
    wanted: bool,
}

impl Progress {
    /// Begins to count the time; `wanted` is false where no terminal is.
    #[must_use]
    pub fn new(wanted: bool) -> Progress {
        Progress { started: Instant::now(), bar: None, wanted }
    }

    /// Shows that `done` of `all` bytes were read; `all` is unknown for a pipe.
    pub fn at(&mut self, done: u64, all: Option<u64>) {
        if !self.wanted || self.started.elapsed() < PATIENCE {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| match all {
            Some(all) => {
                ProgressBar::new(all).with_style(style("{wide_bar} {percent} %  {eta} left"))
            }
            None => ProgressBar::new_spinner()
                .with_style(style("{spinner} {bytes} read, {bytes_per_sec}")),
        });
        bar.set_position(done);
    }

    /// Shows a line that stays at the bottom.
    pub fn say(&mut self, line: String) {
        if !self.wanted {
            return;
        }
        let bar = self
            .bar
            .get_or_insert_with(|| ProgressBar::new_spinner().with_style(style("{spinner} {msg}")));
        bar.set_message(line);
        bar.tick();
    }

    /// Takes the bar away, so that something else can be printed.
    pub fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
