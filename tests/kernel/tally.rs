//! What was right and what was wrong, by kind of capture and by doubt.

use std::collections::BTreeMap;
use std::fmt;

/// Where and how a capture was taken, seen from the host whose connections are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Setting {
    /// Everything, on the host itself.
    Whole,
    /// The same, on a host whose interface went down: what it sent from then on was never on it.
    InterfaceDown,
    Late,
    Cut,
    /// Packets are missing, as tcpdump says when it ends.
    Overrun,
    Flags,
    Between,
    OtherHost,
}

impl Setting {
    /// Where a mistake has no excuse.
    pub fn is_complete(self) -> bool {
        self == Setting::Whole
    }

    fn name(self) -> &'static str {
        match self {
            Setting::Whole => "whole",
            Setting::InterfaceDown => "interface down",
            Setting::Late => "begun late",
            Setting::Cut => "cut short",
            Setting::Overrun => "overrun",
            Setting::Flags => "flags only",
            Setting::Between => "between",
            Setting::OtherHost => "other host",
        }
    }
}

#[derive(Default)]
pub struct Count {
    pub judged: u64,
    /// By the kernel, with the FIN in the capture.
    pub in_close_wait: u64,
    pub missed: u64,
    /// Said to be unknown, for the peer's highest ACK was damaged and nothing contradicts it.
    pub untold: u64,
    pub findings: u64,
    /// False ones among them: without doubts, and with.
    pub falsely: u64,
    pub doubtfully: u64,
    /// The kernel's state changed as the capture ended.
    pub changed: u64,
}

/// How often a doubt stood at a finding that was none, and how often it was needless.
#[derive(Default)]
struct Worth {
    right: u64,
    needless: u64,
}

impl Worth {
    fn count(&mut self, finding_is_right: bool) {
        *(if finding_is_right { &mut self.needless } else { &mut self.right }) += 1;
    }
}

#[derive(Default)]
pub struct Tally {
    pub batches: u64,
    pub connections: u64,
    counts: BTreeMap<Setting, Count>,
    /// In complete captures, and in all.
    doubts: BTreeMap<String, [Worth; 2]>,
    /// What the kernel's list has in CLOSE-WAIT, and the trace of its changes, too.
    pub traced: (u64, u64),
}

impl Tally {
    pub fn of(&mut self, setting: Setting) -> &mut Count {
        self.counts.entry(setting).or_default()
    }

    /// A finding with these doubts.
    pub fn doubts(&mut self, setting: Setting, doubts: &[&str], finding_is_right: bool) {
        for doubt in doubts {
            let [whole, all] = self.doubts.entry((*doubt).to_owned()).or_default();
            all.count(finding_is_right);
            if setting.is_complete() {
                whole.count(finding_is_right);
            }
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} batches, {} connections", self.batches, self.connections)?;
        let (traced, listed) = self.traced;
        writeln!(f, "in CLOSE-WAIT by the kernel's list {listed}, by its trace too {traced}")?;
        writeln!(
            f,
            "\n{:<16}{:>8}{:>11}{:>8}{:>8}{:>10}{:>9}{:>11}{:>9}",
            "capture",
            "judged",
            "CLOSE-WAIT",
            "missed",
            "untold",
            "findings",
            "falsely",
            "doubtfully",
            "changed"
        )?;
        for (setting, count) in &self.counts {
            writeln!(
                f,
                "{:<16}{:>8}{:>11}{:>8}{:>8}{:>10}{:>9}{:>11}{:>9}",
                setting.name(),
                count.judged,
                count.in_close_wait,
                count.missed,
                count.untold,
                count.findings,
                count.falsely,
                count.doubtfully,
                count.changed
            )?;
        }
        writeln!(
            f,
            "\n{:<20}{:>12}{:>10}{:>14}{:>10}",
            "doubt", "whole: right", "needless", "in all: right", "needless"
        )?;
        for (doubt, [whole, all]) in &self.doubts {
            writeln!(
                f,
                "{doubt:<20}{:>12}{:>10}{:>14}{:>10}",
                whole.right, whole.needless, all.right, all.needless
            )?;
        }
        Ok(())
    }
}
