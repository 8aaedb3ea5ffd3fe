//! The processes that a capture itself names, by the end of the connection that they hold.

use std::collections::{HashMap, HashSet};

use crate::capture::process::Process;
use crate::capture::{About, Frame};
use crate::code::Code;
use crate::code::note::Note;
use crate::owner::Holder;
use crate::summary::judged::Judged;
use crate::tcp::segment::{End, FlowKey, Segment, Way};
use crate::verdict::local::Local;

/// Processes by connection and end; without an end where no direction told which is local.
#[derive(Debug)]
pub struct Told {
    holders: HashMap<(FlowKey, Option<End>), Vec<Holder>>,
    /// Ends whose processes a list of the kernel's named, and not the capture.
    kept: HashSet<(FlowKey, End)>,
    /// The code behind connections, by the end that holds them.
    code: HashMap<(FlowKey, End), Code>,
    /// The most connections that are remembered.
    most: usize,
}

/// More processes of one end are not told apart.
const MAX_HOLDERS: usize = 8;

impl Told {
    pub fn new(most: usize) -> Told {
        Told { holders: HashMap::new(), kept: HashSet::new(), code: HashMap::new(), most }
    }

    /// Remembers the process that a packet comes with.
    pub fn take(&mut self, frame: &Frame, segment: &Segment) {
        if let Some(process) = frame.named_process() {
            self.take_named(process, segment);
        }
    }

    pub fn take_named(&mut self, process: Process, segment: &Segment) {
        let end = segment.direction.map(|direction| match direction.way {
            Way::Out => segment.from,
            Way::In => segment.from.other(),
        });
        let key = (segment.key, end);
        if self.holders.len() >= self.most && !self.holders.contains_key(&key) {
            return;
        }
        let holders = self.holders.entry(key).or_default();
        let is_new = holders.iter().all(|holder| holder.pid != process.pid);
        if is_new && holders.len() < MAX_HOLDERS {
            let holder = Holder { pid: process.pid, command: process.command, fd: None, uid: None };
            holders.push(holder);
            holders.sort();
        }
    }

    /// Remembers what a capture's comments tell.
    pub fn take_comments(&mut self, about: &About) {
        for Note { local, peer, process, code } in
            about.comments.iter().filter_map(|text| Note::read(text))
        {
            let (key, end) = FlowKey::new(local, peer);
            if self.code.len() >= self.most && !self.code.contains_key(&(key, end)) {
                return;
            }
            self.code.insert((key, end), code);
            if let Some((pid, command)) = process {
                let holder = Holder { pid, command, fd: None, uid: None };
                self.holders.insert((key, Some(end)), vec![holder]);
            }
        }
    }

    /// Remembers the processes that the kernel named while it still had the socket.
    pub fn keep(&mut self, key: FlowKey, end: End, holders: Vec<Holder>) {
        if self.holders.len() < self.most {
            self.holders.insert((key, Some(end)), holders);
            self.kept.insert((key, end));
        }
    }

    /// Tells whether a list named the processes of the side that has not closed.
    pub fn is_kept(&self, judged: &Judged) -> bool {
        let end = judged.judgement.holder.map(|holder| judged.flow.end(holder));
        end.is_some_and(|end| self.kept.contains(&(judged.key, end)))
    }

    /// Returns the code that used the socket of the side that has not closed.
    pub fn code(&self, judged: &Judged) -> Option<&Code> {
        let end = judged.flow.end(judged.judgement.holder?);
        self.code.get(&(judged.key, end)).filter(|_| !judged.flow.is_superseded())
    }

    /// The processes of the side that has not closed. What came without a direction is local's.
    pub fn holders(&self, judged: &Judged) -> &[Holder] {
        let Some(holder) = judged.judgement.holder else { return &[] };
        let is_local = judged.judgement.local == Local::Side(holder);
        let of = |end| self.holders.get(&(judged.key, end));
        let undirected = || of(None).filter(|_| is_local);
        of(Some(judged.flow.end(holder))).or_else(undirected).map_or(&[], Vec::as_slice)
    }
}
