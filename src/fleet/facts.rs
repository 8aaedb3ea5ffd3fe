//! A capture file becomes a part.

use std::io::Write;

use super::keyed::Key;
use super::part::{Account, At, Footer};
use super::read::Fault;
use super::write::PartWriter;
use crate::capture::file::{FileSource, Input};
use crate::capture::process::Process;
use crate::capture::stop::Stop;
use crate::capture::{Error, Frame, Next, Source, Trouble};
use crate::decode::Decoder;
use crate::facts::CaptureFacts;
use crate::place::Time;
use crate::run::Notices;
use crate::run::copies::Beginning;
use crate::run::unread::{Sense, Unread};
use crate::summary::Totals;
use crate::tcp::segment::Segment;

/// Packets between two looks at the progress.
const PROGRESS_EVERY: u64 = 65_536;

/// A plan of a part: the capture, and what to keep of it.
pub struct FactsPlan {
    /// The capture.
    pub input: Input,
    /// Payloads as far as they were captured, too.
    pub contents: bool,
    /// The key of the shards: the same for all parts of a fleet.
    pub key: Key,
    /// Ports of VXLAN, beside the usual ones.
    pub vxlan: Vec<u16>,
    /// Ends the reading early when it is set.
    pub stop: Stop,
}

/// The result of making a part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// Packets read.
    pub packets: u64,
    /// Segments written.
    pub segments: u64,
    /// Not all of the file could be read.
    pub failed: bool,
}

/// The end of work on a part.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// Nothing can be made of the capture.
    #[error("{0}")]
    Input(#[from] Error),
    /// The table could not be written.
    #[error("the part could not be written: {0}")]
    Output(#[from] Fault),
}

/// Makes a part of a capture, in one pass and in bounded memory.
///
/// # Errors
/// If the capture cannot be opened, is a text, or the part cannot be written. A capture that is damaged
/// later is read until there, and the part says so.
pub fn facts(
    plan: &FactsPlan,
    out: impl Write + Send + 'static,
    notices: &mut dyn Notices,
) -> Result<Made, Failed> {
    let mut source = FileSource::open_until(&plan.input, 0, &plan.stop)?;
    if source.is_text() {
        let trouble = Trouble::NotACapture(
            "a text is no capture file, whose packets all have addresses and times".into(),
        );
        return Err(Error { input: source.name().to_owned(), trouble }.into());
    }
    let before = Account::of(source.about());
    let mut making = Making::begin(plan, source.name(), before, Box::new(out))?;
    making.follow(&mut source, notices)?;
    making.footer.after = Account::of(source.about());
    making.footer.modified = source.modified().and_then(Time::nanos);
    making.unread(notices);
    making.end()
}

/// A part under way.
struct Making {
    decoder: Decoder,
    seen: CaptureFacts,
    skipped: Totals,
    footer: Footer,
    /// The first packets of the file: other parts may show them, too.
    beginning: Beginning,
    out: PartWriter,
}

impl Making {
    fn begin(
        plan: &FactsPlan,
        name: &str,
        before: Account,
        out: Box<dyn Write + Send>,
    ) -> Result<Making, Failed> {
        Ok(Making {
            decoder: Decoder::with_vxlan(&plan.vxlan),
            seen: CaptureFacts::default(),
            skipped: Totals::default(),
            footer: Footer { file: name.to_owned(), before, ..Footer::default() },
            beginning: Beginning::default(),
            out: PartWriter::new(out, plan.key, plan.contents).map_err(Fault::from)?,
        })
    }

    fn follow(&mut self, source: &mut FileSource, notices: &mut dyn Notices) -> Result<(), Failed> {
        loop {
            match source.next() {
                Ok(Next::Frame(frame)) => self.frame(&frame)?,
                Ok(Next::Idle(_)) => {}
                Ok(Next::Trouble(error)) => self.trouble(error, notices),
                Ok(Next::End) => return Ok(()),
                Err(error) => {
                    self.footer.truncated |= !error.trouble.is_failure();
                    self.trouble(error, notices);
                    return Ok(());
                }
            }
            if self.seen.packets().is_multiple_of(PROGRESS_EVERY) {
                let (done, all) = source.progress();
                notices.progress(done, all);
            }
        }
    }

    fn trouble(&mut self, error: Error, notices: &mut dyn Notices) {
        self.footer.troubles.push((error.trouble.to_string(), error.trouble.is_failure()));
        notices.trouble(&error);
    }

    fn frame(&mut self, frame: &Frame) -> Result<(), Failed> {
        self.seen.see(frame.place);
        let decoded = self.decoder.decode(frame);
        self.beginning.take(decoded.as_ref().ok().map(|(segment, _)| segment));
        match decoded {
            Ok((segment, payload)) => self.segment(frame, &segment, payload),
            Err(reason) => {
                self.skipped.skip(reason);
                Ok(())
            }
        }
    }

    /// Packets that may well have been TCP and could not be read are a failure of the file.
    fn unread(&mut self, notices: &mut dyn Notices) {
        Sense::default().doubt_link_type(self.seen.segments(), &mut self.skipped);
        let none = Unread::default();
        if let Some(error) = Unread::of(&self.skipped).since(&none, &self.footer.file) {
            self.trouble(error, notices);
        }
    }

    fn segment(&mut self, frame: &Frame, segment: &Segment, payload: &[u8]) -> Result<(), Failed> {
        self.seen.note(segment);
        let process: Option<Process> =
            if frame.may_name_process() { frame.named_process() } else { None };
        self.out.put(segment, payload, process).map_err(Fault::from)?;
        Ok(())
    }

    fn end(self) -> Result<Made, Failed> {
        let Making { seen, skipped, footer, beginning, out, .. } = self;
        let (packets, segments) = (seen.packets(), seen.segments());
        let failed = footer.troubles.iter().any(|(_, is_failure)| *is_failure);
        let skipped =
            skipped.skipped.iter().map(|(why, n)| (why.to_string(), (why.may_be_tcp(), *n)));
        let footer = Footer {
            packets,
            segments,
            first: seen.first().map(At::of),
            last: seen.last().map(At::of),
            newest: seen.newest().map(At::of),
            undated: seen.undated().map(At::of),
            bare_acks: seen.holds_bare_acks(),
            empty_segments: seen.holds_empty_segments(),
            skipped: skipped.collect(),
            handshakes: beginning.complete.iter().map(Key::of_handshake).collect(),
            ..footer
        };
        out.end(footer).map_err(Fault::from)?;
        Ok(Made { packets, segments, failed })
    }
}
