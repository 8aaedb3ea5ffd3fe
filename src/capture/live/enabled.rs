//! With libpcap.

use std::collections::{BTreeSet, VecDeque};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use chrono::Local;
use pcap::{Active, Capture, Device};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::time::{ClockId, clock_gettime};

use super::clock::{Clock, ClockReading};
use super::keep::Keep;
use super::ring::{Ring, create};
use super::turn::Turn;
use super::{CannotCapture, Wanted, now};
use crate::capture::{About, Error, Frame, LinkType, Next, Source, Trouble};
use crate::place::{Place, Time};
use crate::printable::printable;

/// The longest wait for packets before time is looked at.
const PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Packets between two looks at the clock, where there is no pause to look at it in.
const CLOCK_EVERY: u64 = 1_024;

/// The time between two questions for the counts of drops.
const REFRESH: Duration = Duration::from_secs(5);

/// One or more interfaces, captured on together.
pub struct Live {
    wanted: Wanted,
    interfaces: Vec<Interface>,
    /// The interface at which the search for the next packet begins, so that none is starved.
    turn: usize,
    packet: Vec<u8>,
    frames: u64,
    until: Option<Instant>,
    refreshed: Instant,
    clock: Clock,
    /// Problems that are still to be said.
    troubles: VecDeque<Error>,
    about: About,
    kept: Option<Keep>,
    /// Packets that were kept.
    kept_packets: u64,
    /// The files that follow, if there are several.
    rotation: Option<Rotation>,
    /// Whoever reads what is kept, if anybody does.
    turn_wished: Option<Arc<Turn>>,
}

/// The file of a series that is written now.
struct Rotation {
    ring: Ring,
    number: u32,
    /// Files begun for their time.
    begun: u32,
    since: Instant,
}

impl Rotation {
    fn is_late(&self) -> bool {
        self.ring.every.is_some_and(|every| self.since.elapsed() >= every)
    }

    /// The last file of those that were asked for has had its time.
    fn is_over(&self) -> bool {
        let limit = self.ring.files.filter(|_| self.ring.size.is_none());
        limit.is_some_and(|limit| self.begun >= limit) && self.is_late()
    }
}

/// An interface that is captured on.
struct Interface {
    name: String,
    capture: Capture<Active>,
    link: LinkType,
    drops: u64,
    /// The part of them that is told in files that are finished.
    drops_told: u64,
    is_lost: bool,
}

fn reading() -> ClockReading {
    let boot = clock_gettime(ClockId::Boottime);
    ClockReading { wall: now(), since_boot: boot.tv_sec * 1_000_000_000 + boot.tv_nsec }
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
        let mut about = About::default();
        about.links.extend(interfaces.iter().map(|interface| interface.link));
        about.snap_lengths.insert(wanted.snap_len);
        about.addresses = addresses(&wanted.interfaces);
        Ok(Live {
            wanted: wanted.clone(),
            interfaces,
            turn: 0,
            packet: Vec::new(),
            frames: 0,
            until: wanted.duration.map(|duration| Instant::now() + duration),
            refreshed: Instant::now(),
            clock: Clock::new(reading()),
            troubles: VecDeque::new(),
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
        let interfaces =
            self.interfaces.iter().map(|interface| (interface.name.as_str(), interface.link));
        let snap_len = self.wanted.snap_len;
        self.kept = Some(Keep::begin(out, interfaces, &self.about.addresses, snap_len)?);
        Ok(())
    }

    /// Keeps what is seen in files that follow one another.
    ///
    /// # Errors
    /// If the first cannot be written.
    pub fn keep_in(&mut self, ring: Ring) -> io::Result<()> {
        self.keep(create(&ring.name(0, Local::now()))?)?;
        self.rotation = Some(Rotation { ring, number: 0, begun: 1, since: Instant::now() });
        Ok(())
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
        wish.done(self.rotation.as_ref().map_or(0, |rotation| rotation.number));
    }

    /// Ends the file that is full, has had its time, or is to be read, and begins the next.
    fn turn_over(&mut self, is_wished: bool) {
        if let Err(error) = self.turn_if_due(is_wished) {
            self.troubles.push_back(error);
        }
    }

    fn turn_if_due(&mut self, is_wished: bool) -> Result<(), Error> {
        let (Some(rotation), Some(kept)) = (&mut self.rotation, &self.kept) else { return Ok(()) };
        let is_full = rotation.ring.size.is_some_and(|size| kept.octets > size || is_wished);
        if rotation.is_late() {
            rotation.begun = rotation.begun.saturating_add(1);
            rotation.number = 0;
            rotation.since = Instant::now();
        } else if is_full {
            rotation.number = rotation.ring.after(rotation.number);
        } else {
            return Ok(());
        }
        let next = rotation.ring.name(rotation.number, Local::now());
        self.count_drops();
        self.end_kept()?;
        create(&next).and_then(|file| self.keep(file)).map_err(|error| not_kept(&error))
    }

    /// The number of packets that were kept.
    #[must_use]
    pub fn kept_packets(&self) -> u64 {
        self.kept_packets
    }

    /// The interfaces' names.
    #[must_use]
    pub fn name(&self) -> String {
        printable(&self.wanted.interfaces.join(","))
    }

    fn is_over(&self) -> bool {
        self.wanted.stop.load(Ordering::Relaxed)
            || self.wanted.count.is_some_and(|count| self.frames >= count)
            || self.until.is_some_and(|until| Instant::now() >= until)
            || self.rotation.as_ref().is_some_and(Rotation::is_over)
    }

    /// The time and the interface of a packet, which is then in `self.packet`.
    fn receive(&mut self) -> Result<Option<(Time, usize, u32)>, Error> {
        for step in 0..self.interfaces.len() {
            let at = (self.turn + step) % self.interfaces.len();
            let interface = &mut self.interfaces[at];
            if interface.is_lost {
                continue;
            }
            match interface.capture.next_packet() {
                Ok(packet) => {
                    self.packet.clear();
                    self.packet.extend_from_slice(packet.data);
                    let time = packet.header.ts;
                    let nanos =
                        i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_usec) * 1_000;
                    let (wall, len) = (Time::from_nanos(nanos), packet.header.len);
                    self.turn = at + 1;
                    self.make_whole();
                    self.turn_over(false);
                    self.write(|keep, data| keep.packet(at, wall, len, data));
                    self.kept_packets += u64::from(self.kept.is_some());
                    return Ok(Some((self.time(wall), at, len)));
                }
                Err(pcap::Error::TimeoutExpired) => {}
                Err(error) => {
                    self.lose(at, &error)?;
                    break;
                }
            }
        }
        Ok(None)
    }

    /// An interface has vanished, say. Without any left, the capture is over.
    fn lose(&mut self, at: usize, error: &pcap::Error) -> Result<(), Error> {
        let error = error.to_string();
        self.count_drops();
        self.interfaces[at].is_lost = true;
        let input = printable(&self.interfaces[at].name);
        if self.interfaces.iter().all(|interface| interface.is_lost) {
            self.end_kept()?;
            return Err(Error { input, trouble: Trouble::Interface(error) });
        }
        self.troubles.push_back(Error { input, trouble: Trouble::Gone(error) });
        Ok(())
    }

    /// The time of a packet, from what the wall clock said when it came.
    fn time(&mut self, wall: Time) -> Time {
        if self.clock.is_odd(wall) {
            self.read_clock();
        }
        self.clock.of_packet(wall)
    }

    fn read_clock(&mut self) {
        if let Some(jump) = self.clock.read(reading()) {
            let trouble = Trouble::ClockSet(jump);
            self.troubles.push_back(Error { input: "the clock".into(), trouble });
        }
    }

    /// Waits for packets, but not for long.
    fn wait(&self) {
        let mut fds: Vec<PollFd> = self
            .interfaces
            .iter()
            .filter(|interface| !interface.is_lost)
            .map(|interface| PollFd::from_borrowed_fd(interface.capture.as_fd(), PollFlags::IN))
            .collect();
        // A signal ends it early, which is as good.
        let _ = poll(&mut fds, Some(&PATIENCE));
    }

    fn refresh(&mut self) {
        if self.refreshed.elapsed() < REFRESH {
            return;
        }
        self.refreshed = Instant::now();
        self.count_drops();
    }

    /// Writes to the file that packets are kept in, if there is one. After a failure there is none:
    /// what comes later would leave a hole that nothing tells of.
    fn write(&mut self, write: impl FnOnce(&mut Keep, &[u8]) -> io::Result<()>) {
        let Some(keep) = &mut self.kept else { return };
        if let Err(error) = write(keep, &self.packet) {
            self.troubles.push_back(not_kept(&error));
            self.kept = None;
        }
    }

    fn end_kept(&mut self) -> Result<(), Error> {
        let Some(keep) = self.kept.take() else { return Ok(()) };
        let drops = self.interfaces.iter_mut().map(|interface| {
            let told = std::mem::replace(&mut interface.drops_told, interface.drops);
            interface.drops.saturating_sub(told)
        });
        keep.end(now(), drops).map_err(|error| not_kept(&error))
    }

    fn count_drops(&mut self) {
        for interface in &mut self.interfaces {
            if !interface.is_lost
                && let Ok(stats) = interface.capture.stats()
            {
                interface.drops = u64::from(stats.dropped) + u64::from(stats.if_dropped);
            }
        }
        self.about.drops = self.interfaces.iter().map(|interface| interface.drops).sum();
    }
}

impl Source for Live {
    fn comment(&mut self, text: &str) {
        self.write(|keep, _| keep.comment(now(), text));
    }

    fn next(&mut self) -> Result<Next<'_>, Error> {
        if let Some(trouble) = self.troubles.pop_front() {
            return Ok(Next::Trouble(trouble));
        }
        if self.is_over() {
            self.count_drops();
            self.end_kept()?;
            return Ok(Next::End);
        }
        let Some((time, interface, original_len)) = self.receive()? else {
            self.make_whole();
            self.write(|keep, _| keep.pause());
            self.wait();
            self.refresh();
            self.read_clock();
            return Ok(Next::Idle(self.clock.now()));
        };
        self.frames += 1;
        if self.frames.is_multiple_of(CLOCK_EVERY) {
            self.refresh();
            self.read_clock();
        }
        Ok(Next::Frame(Frame {
            place: Place::new(time, 0, self.frames, 6),
            interface: interface as u32,
            link: self.interfaces[interface].link,
            original_len,
            direction: None,
            process: None,
            data: &self.packet,
        }))
    }

    fn about(&self) -> &About {
        &self.about
    }

    fn progress(&self) -> (u64, Option<u64>) {
        (0, None)
    }
}

impl Interface {
    fn open(name: &str, wanted: &Wanted) -> Result<Interface, CannotCapture> {
        let wrong = |error: pcap::Error| {
            let interface = printable(name);
            CannotCapture::Interface { interface, error: error.to_string() }
        };
        let mut capture = Capture::from_device(name)
            .map_err(wrong)?
            .snaplen(i32::try_from(wanted.snap_len).unwrap_or(i32::MAX))
            .buffer_size(i32::try_from(wanted.buffer).unwrap_or(i32::MAX))
            .promisc(wanted.promiscuous && name != "any")
            .timeout(100)
            .open()
            .map_err(wrong)?;
        capture.filter(&wanted.filter, true).map_err(|error| {
            let expression = printable(&wanted.filter);
            CannotCapture::Filter { expression, error: error.to_string() }
        })?;
        let link = LinkType(capture.get_datalink().0 as u16);
        let capture = capture.setnonblock().map_err(wrong)?;
        Ok(Interface { name: name.into(), capture, link, drops: 0, drops_told: 0, is_lost: false })
    }
}

fn not_kept(error: &io::Error) -> Error {
    Error { input: "-w".into(), trouble: Trouble::NotKept(error.to_string()) }
}

/// The addresses of these interfaces, so far as they can be told.
fn addresses(interfaces: &[String]) -> BTreeSet<IpAddr> {
    let all = interfaces.iter().any(|name| name == "any");
    let devices = Device::list().unwrap_or_default().into_iter();
    let ours = devices.filter(|device| all || interfaces.contains(&device.name));
    ours.flat_map(|device| device.addresses).map(|address| address.addr).collect()
}

/// Names and descriptions of the interfaces.
///
/// # Errors
/// If libpcap cannot list them.
pub fn interfaces() -> Result<Vec<String>, CannotCapture> {
    let listed = Device::list().map_err(|error| CannotCapture::Interface {
        interface: "interfaces".into(),
        error: error.to_string(),
    })?;
    let line = |(number, device): (usize, Device)| {
        let about = device.desc.map_or(String::new(), |about| format!(" ({about})"));
        printable(&format!("{}.{}{about}", number + 1, device.name))
    };
    Ok(listed.into_iter().enumerate().map(line).collect())
}
