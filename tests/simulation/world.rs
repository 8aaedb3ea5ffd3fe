//! Two hosts, the path between them, and the clock.

use std::collections::BTreeMap;

use closewait::tcp::segment::Flags;
use closewait::tcp::seq::Seq;

use crate::manners::Manners;
use crate::plan::{Action, Leg, Plan};
use crate::prng::Prng;
use crate::socket::{Packet, Socket, State};

/// How long a port is retried that is still in use, in microseconds.
const TRY_AGAIN: u64 = 2_000_000;

enum Event {
    Do { host: usize, conn: usize, action: Action },
    Wake { host: usize },
    PassTap(Packet),
    Arrive(Packet),
}

#[derive(Default)]
struct Host {
    /// Every socket it ever had; the last one holds the port.
    sockets: Vec<Socket>,
    dead: bool,
    /// The next wake-up that is in the queue.
    wakes_at: Option<u64>,
}

/// A packet that came past the tap, seen or not.
#[derive(Clone, Copy, Debug)]
pub struct Passed {
    pub at: u64,
    pub packet: Packet,
}

pub struct World {
    plan: Plan,
    prng: Prng,
    manners: [Manners; 2],
    now: u64,
    queue: BTreeMap<(u64, u64), Event>,
    serial: u64,
    hosts: [Host; 2],
    pub passed: Vec<Passed>,
    /// Resets that a host sent for a connection, whether by a socket or for want of one.
    pub resets_sent: Vec<[bool; 2]>,
    /// A reset came past the tap that its receiver would not accept, whether it arrived or not.
    pub stale_resets: Vec<bool>,
}

impl World {
    /// Lets everything happen until the end of the capture.
    pub fn run(plan: Plan, mut prng: Prng) -> World {
        let round_trip = 2 * plan.legs.iter().map(|leg| leg.delay + leg.jitter).sum::<u64>();
        let manners = [0, 1].map(|_| Manners::any(&mut prng, round_trip));
        let resets_sent = vec![[false; 2]; plan.connections.len()];
        let stale_resets = vec![false; plan.connections.len()];
        let mut world = World {
            prng,
            manners,
            now: 0,
            queue: BTreeMap::new(),
            serial: 0,
            hosts: [Host::default(), Host::default()],
            passed: Vec::new(),
            resets_sent,
            stale_resets,
            plan,
        };
        world.schedule_plan();
        while let Some(((at, _), event)) = world.queue.pop_first() {
            if at > world.plan.end {
                break;
            }
            world.now = at;
            world.happen(event);
        }
        world
    }

    /// The last socket that `host` had for a connection.
    pub fn socket(&self, host: usize, conn: usize) -> Option<&Socket> {
        self.hosts[host].sockets.iter().rev().find(|socket| socket.conn == conn)
    }

    /// Has a host had two sockets for a connection?
    pub fn was_accepted_again(&self, conn: usize) -> bool {
        let sockets = |host: &Host| host.sockets.iter().filter(|s| s.conn == conn).count();
        self.hosts.iter().any(|host| sockets(host) > 1)
    }

    fn schedule_plan(&mut self) {
        let all: Vec<_> = (self.plan.connections.iter().enumerate())
            .flat_map(|(conn, c)| {
                c.actions.iter().map(move |&(at, host, act)| (at, host, conn, act))
            })
            .collect();
        for (at, host, conn, action) in all {
            self.schedule(at, Event::Do { host, conn, action });
        }
    }

    fn schedule(&mut self, at: u64, event: Event) {
        self.serial += 1;
        self.queue.insert((at, self.serial), event);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Do { host, conn, action } => self.act(host, conn, action),
            Event::Wake { host } => self.wake(host),
            Event::PassTap(packet) => self.pass_tap(packet),
            Event::Arrive(packet) => self.arrive(packet),
        }
    }

    fn act(&mut self, host: usize, conn: usize, action: Action) {
        if self.hosts[host].dead {
            return;
        }
        match action {
            Action::Connect => self.connect(host, conn),
            Action::Die => self.hosts[host].dead = true,
            Action::Reboot => self.reboot(host),
            Action::Write { octets, hold } => {
                self.with_socket(host, conn, |socket, now| socket.write(octets, hold, now));
            }
            Action::StopReading => self.with_socket(host, conn, |socket, _| socket.stop_reading()),
            Action::ReadOn => {
                self.with_socket(host, conn, Socket::read_on);
                self.notice_eof(host);
            }
            Action::End(how) => self.with_socket(host, conn, |socket, now| socket.end(how, now)),
        }
    }

    fn reboot(&mut self, host: usize) {
        if let Some(socket) = self.hosts[host].sockets.last_mut() {
            socket.forget();
        }
    }

    fn with_socket(&mut self, host: usize, conn: usize, act: impl FnOnce(&mut Socket, u64)) {
        let now = self.now;
        if let Some(socket) = self.hosts[host].sockets.last_mut().filter(|s| s.conn == conn) {
            act(socket, now);
            self.after(host);
        }
    }

    /// A port in use cannot be used again, except in TIME-WAIT after a second (tcp_tw_reuse).
    fn connect(&mut self, host: usize, conn: usize) {
        let free = |s: &Socket| matches!(s.state, State::Closed | State::TimeWait);
        if !self.hosts[host].sockets.last().is_none_or(free) {
            let action = Action::Connect;
            return self.schedule(self.now + TRY_AGAIN, Event::Do { host, conn, action });
        }
        let iss = Seq(self.plan.connections[conn].isn[host]);
        let socket = Socket::connect(host, conn, iss, self.manners[host], self.now);
        self.hosts[host].sockets.push(socket);
        self.after(host);
    }

    fn wake(&mut self, host: usize) {
        self.hosts[host].wakes_at = None;
        let now = self.now;
        if self.hosts[host].dead {
            return;
        }
        if let Some(socket) = self.hosts[host].sockets.last_mut() {
            socket.wake(now);
        }
        self.after(host);
    }

    /// Sends what a socket has to send, and sets its alarm.
    fn after(&mut self, host: usize) {
        let Some(socket) = self.hosts[host].sockets.last_mut() else { return };
        let out = std::mem::take(&mut socket.out);
        let deadline = socket.deadline();
        out.into_iter().for_each(|packet| self.depart(packet));
        let Some(at) = deadline else { return };
        if self.hosts[host].wakes_at.is_none_or(|wakes_at| at < wakes_at) {
            self.hosts[host].wakes_at = Some(at);
            self.schedule(at, Event::Wake { host });
        }
    }

    // The path.

    fn depart(&mut self, packet: Packet) {
        if packet.has(Flags::RST) {
            self.resets_sent[packet.conn][packet.from] = true;
        }
        if self.is_down(packet.from) {
            return;
        }
        if let Some((at, packet)) = self.travel(packet.from, packet) {
            self.schedule(at, Event::PassTap(packet));
        }
    }

    pub fn was_down(&self, host: usize) -> bool {
        self.plan.down[host].is_some_and(|(from, _)| from <= self.now)
    }

    fn is_down(&self, host: usize) -> bool {
        self.plan.down[host].is_some_and(|(from, to)| (from..to).contains(&self.now))
    }

    fn pass_tap(&mut self, packet: Packet) {
        let to = 1 - packet.from;
        // Nothing comes in over an interface that is down, for whoever captures there either.
        if self.plan.legs[to].delay == 0 && self.is_down(to) {
            return;
        }
        self.passed.push(Passed { at: self.now, packet });
        let receiver = self.socket(to, packet.conn);
        self.stale_resets[packet.conn] |= packet.has(Flags::RST)
            && !packet.damaged
            && receiver.is_some_and(|to| to.will_ignore(&packet));
        if let Some((at, packet)) = self.travel(to, packet) {
            self.schedule(at, Event::Arrive(packet));
        }
    }

    /// When a packet has come to the end of a leg, and how, if it is not lost.
    fn travel(&mut self, leg: usize, mut packet: Packet) -> Option<(u64, Packet)> {
        let Leg { delay, jitter, lost, detoured, damaged } = self.plan.legs[leg];
        let detour = self.prng.per_mille(detoured);
        let detour = if detour { self.prng.between(1_000, 400_000) } else { 0 };
        let at = self.now + delay + self.prng.between(0, jitter) + detour;
        let lost = self.prng.per_mille(lost);
        if self.prng.per_mille(damaged) {
            packet.damaged = true;
            // A bit of the payload, as often as not: that shows in the checksum alone.
            packet.flags ^= self.prng.pick(&[Flags::FIN, Flags::RST, 0, 0]);
            if packet.flags & Flags::ACK != 0 && self.prng.one_in(4) {
                packet.renumbered = true;
                packet.ack = Seq(packet.ack.0 ^ 1 << self.prng.below(32));
            }
        }
        (!lost).then_some((at, packet))
    }

    fn arrive(&mut self, packet: Packet) {
        let host = 1 - packet.from;
        if self.hosts[host].dead || self.is_down(host) || packet.damaged {
            return;
        }
        let syn = packet.has(Flags::SYN) && !packet.has(Flags::ACK | Flags::RST);
        let socket = self.hosts[host].sockets.last();
        let in_use =
            socket.is_some_and(|s| s.state != State::Closed && !(syn && s.yields_to(&packet)));
        let listens = self.plan.connections[packet.conn].opener != host;
        if in_use {
            self.deliver(host, &packet);
        } else if syn && listens {
            self.accept(host, &packet);
        } else if !packet.has(Flags::RST) {
            self.depart(packet.refusal());
        }
    }

    fn deliver(&mut self, host: usize, packet: &Packet) {
        let now = self.now;
        let Some(socket) = self.hosts[host].sockets.last_mut() else { return };
        socket.receive(packet, now);
        self.after(host);
        self.notice_eof(host);
    }

    fn notice_eof(&mut self, host: usize) {
        let Some(socket) = self.hosts[host].sockets.last_mut() else { return };
        if socket.reads_eof() {
            let conn = socket.conn;
            self.schedule_at_eof(host, conn);
        }
    }

    fn accept(&mut self, host: usize, syn: &Packet) {
        let iss = Seq(self.plan.connections[syn.conn].isn[host]);
        // A SYN that comes late, again: another socket, another number.
        let again = self.socket(host, syn.conn).is_some();
        let iss = if again { iss + 77_777 } else { iss };
        self.hosts[host].sockets.push(Socket::accept(syn, iss, self.manners[host], self.now));
        self.after(host);
    }

    fn schedule_at_eof(&mut self, host: usize, conn: usize) {
        let at_eof = self.plan.connections[conn].at_eof[host];
        let mut at = self.now;
        for _ in 0..at_eof.writes {
            at += at_eof.every;
            let action = Action::Write { octets: 200, hold: false };
            self.schedule(at, Event::Do { host, conn, action });
        }
        if let Some((after, how)) = at_eof.then {
            self.schedule(at + after, Event::Do { host, conn, action: Action::End(how) });
        }
    }
}
