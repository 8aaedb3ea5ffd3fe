//! With libpcap.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::gather::Gathered;
use super::interface::{Interface, addresses};
use super::keep::Keep;
use super::ring::{Named, Ring};
use super::rotation::Rotation;
use super::taker::{Batch, Packet, Taker};
use super::turn::Turn;
use super::{CannotCapture, Wanted, now};
use crate::capture::{About, Error, Frame, LinkType, Next, Source, Trouble};
use crate::printable::printable;

/// One or more interfaces, captured on together.
pub struct Live {
    wanted: Wanted,
    /// The link type of each interface.
    links: Vec<LinkType>,
    gathered: Gathered,
    /// Packets that are looked at now.
    batch: Batch,
    frames: u64,
    until: Option<Instant>,
    /// Problems that are still to be said.
    troubles: VecDeque<Error>,
    about: About,
    kept: Option<Keep>,
    /// Packets that were kept in files that are finished, or full.
    kept_packets: u64,
    /// Drops of each interface that are told in files that are finished.
    drops_told: Vec<u64>,
    /// The files that follow, if there are several.
    rotation: Option<Rotation>,
    /// Whoever reads what is kept, if anybody does.
    turn_wished: Option<Arc<Turn>>,
}

impl Live {
    /// Opens all interfaces.
    ///
    /// # Errors
    /// If an interface cannot be captured on, or the expression is wrong.
    pub fn open(wanted: &Wanted) -> Result<Live, CannotCapture> {
        let interfaces: Vec<Interface> = wanted
            .interfaces
            .iter()
            .map(|name| Interface::open(name, wanted))
            .collect::<Result<_, _>>()?;
        let late = interfaces.iter().filter(|interface| interface.is_late);
        let troubles = late.map(|it| Error { input: printable(&it.name), trouble: Trouble::Late });
        let troubles = troubles.collect();
        let mut about = About::default();
        about.links.extend(interfaces.iter().map(|interface| interface.link));
        about.snap_lengths.insert(wanted.snap_len);
        about.addresses = addresses();
        Ok(Live {
            wanted: wanted.clone(),
            links: interfaces.iter().map(|interface| interface.link).collect(),
            drops_told: vec![0; interfaces.len()],
            gathered: Gathered::new(Taker::new(interfaces)),
            batch: Batch::default(),
            frames: 0,
            until: wanted.duration.map(|duration| Instant::now() + duration),
            troubles,
            about,
            kept: None,
            kept_packets: 0,
            rotation: None,
            turn_wished: None,
        })
    }

    /// Keeps what is seen in a file.
    ///
    /// # Errors
    /// If it cannot be written to.
    pub fn keep(&mut self, out: impl Write + Send + 'static) -> io::Result<()> {
        let names = self.wanted.interfaces.iter().map(String::as_str);
        let interfaces = names.zip(self.links.iter().copied());
        let snap_len = self.wanted.snap_len;
        self.kept = Some(Keep::begin(out, interfaces, &self.about.addresses, snap_len)?);
        Ok(())
    }

    /// Keeps what is seen in files that follow one another.
    ///
    /// # Errors
    /// If the first cannot be written.
    pub fn keep_in(&mut self, ring: Ring) -> io::Result<()> {
        let rotation = Rotation::new(ring, Instant::now());
        self.keep_next(&rotation.name())?;
        self.rotation = Some(rotation);
        Ok(())
    }

    fn keep_next(&mut self, path: &Path) -> io::Result<()> {
        self.keep(Named::create(path)?)
    }

    /// Makes what is kept whole whenever somebody wishes for it.
    pub fn heed(&mut self, turn: Arc<Turn>) {
        self.turn_wished = Some(turn);
    }

    /// Does so: of a series, the file ends, and the next begins.
    fn make_whole(&mut self) {
        let Some(wish) = self.turn_wished.clone().filter(|wish| wish.is_wished()) else { return };
        self.turn_over(true);
        self.write(|keep, _| keep.pause());
        wish.done(self.file_number());
    }

    fn file_number(&self) -> u32 {
        self.rotation.as_ref().map_or(0, |rotation| rotation.number)
    }

    /// Ends the file that is full, has had its time, or is to be read, and begins the next.
    fn turn_over(&mut self, is_wished: bool) {
        if let Err(error) = self.turn_if_due(is_wished) {
            self.troubles.push_back(error);
        }
    }

    fn turn_if_due(&mut self, is_wished: bool) -> Result<(), Error> {
        let (Some(rotation), Some(kept)) = (&mut self.rotation, &self.kept) else { return Ok(()) };
        if !rotation.turn(kept.octets, is_wished, Instant::now()) {
            return Ok(());
        }
        let next = rotation.name();
        self.count_drops();
        self.end_kept()?;
        self.keep_next(&next).map_err(|error| not_kept(&error))
    }

    /// The number of packets that were kept.
    #[must_use]
    pub fn kept_packets(&self) -> u64 {
        self.kept_packets + self.kept.as_ref().map_or(0, Keep::in_file)
    }

    /// The interfaces' names.
    #[must_use]
    pub fn name(&self) -> String {
        printable(&self.wanted.interfaces.join(","))
    }

    /// As many as were asked for have been looked at, or the last file is full.
    fn has_enough(&self) -> bool {
        self.wanted.count.is_some_and(|count| self.frames >= count)
            || self.rotation.as_ref().is_some_and(|rotation| rotation.is_over(Instant::now()))
    }

    /// Tells whether nothing that comes from now on counts.
    fn is_over(&self) -> bool {
        self.wanted.stop.load(Ordering::Relaxed)
            || self.until.is_some_and(|until| Instant::now() >= until)
    }

    /// Counts a packet, and keeps it if packets are kept.
    fn receive(&mut self, packet: &Packet) {
        self.frames += 1;
        self.make_whole();
        self.turn_over(false);
        self.write(|keep, batch| {
            let data = batch.data(packet);
            keep.packet(packet.interface, packet.wall, packet.original_len, data)
        });
    }

    /// In a pause, what is kept is written.
    fn pause(&mut self) {
        self.make_whole();
        self.write(|keep, _| keep.pause());
        self.count_drops();
    }

    fn end(&mut self) -> Result<(), Error> {
        self.gathered.stop();
        self.count_drops();
        let ended = self.end_kept();
        self.turn_wished.iter().for_each(|turn| turn.end(self.file_number()));
        ended
    }

    /// Writes to the file that packets are kept in, if there is one. After a failure there is none:
    /// what comes later would leave a hole that nothing tells of.
    fn write(&mut self, write: impl FnOnce(&mut Keep, &Batch) -> io::Result<()>) {
        let Some(keep) = &mut self.kept else { return };
        if let Err(error) = write(keep, &self.batch) {
            self.troubles.push_back(not_kept(&error));
            self.kept_packets += keep.in_file();
            self.kept = None;
        }
    }

    fn end_kept(&mut self) -> Result<(), Error> {
        let Some(mut keep) = self.kept.take() else { return Ok(()) };
        let drops = self.gathered.drops().zip(&mut self.drops_told);
        let drops = drops.map(|(drops, told)| drops.saturating_sub(std::mem::replace(told, drops)));
        let ended = keep.end(now(), drops).map_err(|error| not_kept(&error));
        self.kept_packets += keep.in_file();
        ended
    }

    fn count_drops(&mut self) {
        self.about.drops = self.gathered.drops().sum();
    }
}

impl Source for Live {
    fn comment(&mut self, text: &str) {
        self.write(|keep, _| keep.comment(now(), text));
    }

    fn next(&mut self) -> Result<Next<'_>, Error> {
        loop {
            if let Some(trouble) = self.troubles.pop_front() {
                return Ok(Next::Trouble(trouble));
            }
            if self.has_enough() {
                self.end()?;
                return Ok(Next::End);
            }
            if let Some(packet) = self.batch.next() {
                self.receive(&packet);
                let link = self.links[packet.interface];
                return Ok(Next::Frame(packet.frame(self.frames, link, self.batch.data(&packet))));
            }
            self.troubles.extend(self.batch.troubles.drain(..));
            if let Some(error) = self.batch.end.take() {
                self.end()?;
                return Err(error);
            }
            if let Some(now) = self.batch.idle.take() {
                self.pause();
                return Ok(Next::Idle(now));
            }
            if self.is_over() {
                self.gathered.stop();
            }
            self.count_drops();
            if self.troubles.is_empty() && !self.gathered.next(&mut self.batch) {
                self.end()?;
                return Ok(Next::End);
            }
        }
    }

    /// Hands out a batch that is only looked at: where packets are kept or counted, each is a step of its own.
    fn each_whole(&mut self, mut take: impl FnMut(&Frame<'_>) -> bool) -> u64 {
        if self.kept.is_some() || self.wanted.count.is_some() || !self.troubles.is_empty() {
            return 0;
        }
        let (mut number, links) = (self.frames, &self.links);
        let taken = self.batch.each(|packet, data| {
            number += 1;
            take(&packet.frame(number, links[packet.interface], data))
        });
        self.frames += taken;
        taken
    }

    fn about(&self) -> &About {
        &self.about
    }

    fn progress(&self) -> (u64, Option<u64>) {
        (0, None)
    }
}

fn not_kept(error: &io::Error) -> Error {
    Error { input: "-w".into(), trouble: Trouble::NotKept(error.to_string()) }
}
