//! Deeds that read files again: packets of connections, and the report as a page.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::show::Message;
use crate::commands::explain::{ExplainCommand, Which, ladder};
use crate::commands::explained::Explained;
use crate::commands::extract::{Chosen, Gather};
use crate::commands::format::command_line;
use crate::commands::output::Outputs;
use crate::commands::top::Files;
use crate::printable::printable;
use crate::report::ladder::LadderLook;
use crate::report::text::TextLook;
use crate::run::notices::Nobody;
use crate::run::trace::run_traced;
use crate::run::{Paths, Plan, run};
use crate::summary::{Nothing, Sink};
use crate::top::app::{AppEvent, Wish};
use crate::top::picture::Picture;
use crate::units::{Zone, count};

/// Reads files again, each time in a thread of its own.
pub struct Reader {
    files: Files,
    zone: Zone,
    to: Sender<Message>,
    /// The whole capture, once it has been read.
    whole: Option<Arc<Picture>>,
}

impl Reader {
    pub fn new(files: Files, zone: Zone, to: Sender<Message>) -> Reader {
        Reader { files, zone, to, whole: None }
    }

    /// Learns what the capture is like in the end.
    pub fn knows(&mut self, whole: Arc<Picture>) {
        self.whole = Some(whole);
    }

    /// Begins to do what the user wishes for.
    pub fn act(&self, wish: Wish) {
        let (files, zone) = (self.files.again(), self.zone);
        match wish {
            Wish::Ladder(id) => {
                let name = self.whole.as_ref().and_then(|whole| {
                    let entry = whole.find(id)?;
                    Some((
                        whole.totals.files.get(entry.seen.first.file())?.clone(),
                        entry.seen.first.frame(),
                    ))
                });
                if let Some((file, number)) = name {
                    self.begin(move || AppEvent::Ladder(id, packets(&files, file, number, zone)));
                }
            }
            Wish::Write(ids) => self.begin(move || {
                let first = ids.iter().map(|(_, first)| *first).collect();
                said(write(&files, Chosen::First(first)))
            }),
            Wish::Report => self.begin(move || said(page(files.plan(), zone, command_line()))),
            _ => {}
        }
    }

    fn begin(&self, deed: impl FnOnce() -> AppEvent + Send + 'static) {
        let to = Sender::clone(&self.to);
        let begun = thread::Builder::new().spawn(move || {
            // Nobody listens any more where the screen is gone.
            let _ = to.send(Message::Event(deed()));
        });
        if let Err(error) = begun {
            let _ = self.to.send(Message::Event(AppEvent::Said(error.to_string())));
        }
    }
}

fn said(sentence: Result<String, String>) -> AppEvent {
    AppEvent::Said(sentence.unwrap_or_else(|sentence| sentence))
}

/// The packets of a connection, as `closewait explain` prints them.
fn packets(files: &Files, file: String, number: u64, zone: Zone) -> Vec<String> {
    let out = Page::default();
    let asked = ExplainCommand {
        inputs: files.inputs.clone(),
        which: Which::Frame { file: Some(file), number },
        policy: files.policy.clone(),
        separate: files.separate,
        sockets: None,
        listed: None,
        reading: files.reading.clone(),
        max_flows: files.max_flows,
        look: LadderLook { zone, absolute: false, all: false, width: None },
        color: anstream::ColorChoice::Always,
        output: None,
    };
    match ladder(&asked, Box::new(out.clone())) {
        Ok(Ok(_)) => out.lines(),
        Ok(Err(sentence)) => vec![sentence],
        Err(error) => vec![error.to_string()],
    }
}

/// Lines that are written in one place and read in another.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    fn lines(&self) -> Vec<String> {
        let text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&text).lines().map(str::to_owned).collect()
    }
}

impl Write for Page {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The first name of this kind that no file has.
fn free_name(extension: &str) -> PathBuf {
    let name = |number: u32| PathBuf::from(format!("closewait-{number}.{extension}"));
    (1..u32::MAX).map(name).find(|name| !name.exists()).unwrap_or_else(|| name(0))
}

/// Writes the packets of connections to a file of their own.
pub fn write(files: &Files, chosen: Chosen) -> Result<String, String> {
    let path = free_name("pcapng");
    let failed = |error: io::Error| format!("w: the packets could not be written: {error}");
    let mut nothing = Nothing;
    let mut gather = Gather::of(&mut nothing, chosen);
    // All of them: at another time of the capture than its end they may have been something else.
    let plan = Plan { all: true, ..files.plan() };
    run(plan, &mut gather, &mut Nobody).map_err(failed)?;
    let gather = gather.of_one_point()?;
    let found = gather.found();
    if found == 0 {
        return Err("w: no packet of these was captured".into());
    }
    let mut outputs = Outputs::beside(files.inputs.iter().map(|input| input.0.as_path()));
    let (file, placing) = outputs.create(&path, "w")?;
    let mut extract = gather.extract(file).map_err(failed)?;
    run_traced(files.plan(), &mut Nothing, &mut Nobody, &mut extract).map_err(failed)?;
    extract.finish().map_err(failed)?;
    placing.place().map_err(failed)?;
    let (n, name) = (count(found, "connection"), path.to_string_lossy());
    Ok(format!("packets of {n} written to {}", printable(&name)))
}

/// Writes the report as a page; `made_by` is the command line.
pub fn page(mut plan: Plan, zone: Zone, made_by: String) -> Result<String, String> {
    let path = free_name("html");
    let failed = |error: io::Error| format!("r: the report could not be written: {error}");
    let mut outputs = Outputs::beside(plan.inputs.iter().map(|input| input.0.as_path()));
    let (file, placing) = outputs.create(&path, "r")?;
    let look = TextLook::new(zone);
    plan.reading.paths = Paths::Sample;
    let out = Box::new(io::BufWriter::new(file));
    let mut sink: Box<dyn Sink> = Box::new(Explained::new(out, look, made_by, &plan));
    run(plan, sink.as_mut(), &mut Nobody).map_err(failed)?;
    drop(sink);
    placing.place().map_err(failed)?;
    Ok(format!("report written to {}", printable(&path.to_string_lossy())))
}
