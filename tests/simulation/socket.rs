//! One end of one connection: a small TCP that does what Linux does as far as a capture can show it.
//! Times are microseconds since the simulation began.

use closewait::tcp::segment::Flags;
use closewait::tcp::seq::Seq;

use crate::manners::Manners;

/// A segment on its way, and what its sender alone knows of it.
#[derive(Clone, Copy, Debug)]
pub struct Packet {
    pub from: usize,
    /// The connection it is meant for.
    pub conn: usize,
    pub flags: u8,
    pub seq: Seq,
    pub ack: Seq,
    pub len: u32,
    /// Octets that its sender has room for.
    pub window: u16,
    /// A bit of it flipped on its way: its checksum is wrong.
    pub damaged: bool,
    /// That bit was one of its acknowledgment number.
    pub renumbered: bool,
    /// Its sender had received the other side's FIN.
    pub acks_fin: bool,
}

impl Packet {
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The number after the segment (3.4).
    pub fn end(&self) -> Seq {
        self.seq + self.len + u32::from(self.has(Flags::SYN)) + u32::from(self.has(Flags::FIN))
    }

    /// The RST that answers it where no socket wants it (3.10.7.1).
    pub fn refusal(&self) -> Packet {
        let (flags, seq, ack) = match self.has(Flags::ACK) {
            true => (Flags::RST, self.ack, Seq(0)),
            false => (Flags::RST | Flags::ACK, Seq(0), self.end()),
        };
        let from = 1 - self.from;
        let conn = self.conn;
        Packet {
            from,
            conn,
            flags,
            seq,
            ack,
            len: 0,
            window: 0,
            damaged: false,
            renumbered: false,
            acks_fin: false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    SynSent,
    SynReceived,
    Established,
    FinWait1,
    FinWait2,
    Closing,
    TimeWait,
    CloseWait,
    LastAck,
    Closed,
}

/// How the application ends its side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// `close()`: FIN, and whatever still comes is answered by a RST.
    Close,
    /// `shutdown(SHUT_WR)`: FIN, and the application goes on reading.
    Shutdown,
    /// `close()` with unread data, or with SO_LINGER 0.
    Abort,
}

/// What happened to the socket, and when.
#[derive(Clone, Copy, Debug, Default)]
pub struct Life {
    pub fin_sent: Option<u64>,
    pub fin_received: Option<u64>,
    pub rst_sent: Option<u64>,
    /// It first sent payload after it had received the FIN.
    pub used_after_fin: Option<u64>,
    /// A RST came whose number was not acceptable.
    pub ignored_rst: bool,
    /// It repeated payload after it had received the FIN.
    pub repeated_after_fin: bool,
}

const SYN_TIMEOUT: u64 = 1_000_000;
const LONGEST_TIMEOUT: u64 = 120_000_000;
/// tcp_fin_timeout and TIME-WAIT.
const MINUTE: u64 = 60_000_000;
const SYN_RETRIES: u32 = 6;
/// tcp_orphan_retries, and tcp_retries2.
const ORPHAN_RETRIES: u32 = 8;
const RETRIES: u32 = 15;

#[derive(Clone, Copy, Default)]
struct Timers {
    repeat: Option<u64>,
    ack: Option<u64>,
    keep_alive: Option<u64>,
    /// Of a closed window.
    probe: Option<u64>,
    /// The end of FIN-WAIT-2 without an application, or of TIME-WAIT.
    over: Option<u64>,
}

pub struct Socket {
    host: usize,
    pub conn: usize,
    pub state: State,
    manners: Manners,
    iss: Seq,
    /// SND.UNA, SND.NXT, and the number after the last octet written.
    una: Seq,
    nxt: Seq,
    written: Seq,
    fin_wanted: bool,
    /// The application still has the socket to read from.
    reading: bool,
    /// It takes what comes at once; and what it has not taken.
    takes: bool,
    unread: u32,
    /// It has been told of the end of file.
    knows_eof: bool,
    /// The room that the other side last told.
    peer_window: u32,
    rcv_nxt: Seq,
    /// What was received beyond a gap.
    early: Vec<(Seq, Seq)>,
    /// The number of the other side's FIN.
    peer_fin: Option<Seq>,
    timers: Timers,
    timeout: u64,
    retries: u32,
    /// Everything before it is repeated, one segment with each ACK, after a time-out.
    recover: Option<Seq>,
    unacked_segments: u32,
    pub life: Life,
    now: u64,
    pub out: Vec<Packet>,
}

impl Socket {
    fn new(host: usize, conn: usize, state: State, iss: Seq, manners: Manners, now: u64) -> Socket {
        Socket {
            host,
            conn,
            state,
            manners,
            iss,
            una: iss,
            nxt: iss + 1,
            written: iss + 1,
            fin_wanted: false,
            reading: true,
            takes: true,
            unread: 0,
            knows_eof: false,
            peer_window: 0,
            rcv_nxt: Seq(0),
            early: Vec::new(),
            peer_fin: None,
            timers: Timers { repeat: Some(now + SYN_TIMEOUT), ..Timers::default() },
            timeout: SYN_TIMEOUT,
            retries: 0,
            recover: None,
            unacked_segments: 0,
            life: Life::default(),
            now,
            out: Vec::new(),
        }
    }

    pub fn connect(host: usize, conn: usize, iss: Seq, manners: Manners, now: u64) -> Socket {
        let mut socket = Socket::new(host, conn, State::SynSent, iss, manners, now);
        socket.send(Flags::SYN, iss, 0);
        socket
    }

    pub fn accept(syn: &Packet, iss: Seq, manners: Manners, now: u64) -> Socket {
        let host = 1 - syn.from;
        let mut socket = Socket::new(host, syn.conn, State::SynReceived, iss, manners, now);
        socket.rcv_nxt = syn.seq + 1;
        socket.peer_window = u32::from(syn.window);
        socket.send(Flags::SYN | Flags::ACK, iss, 0);
        socket
    }

    /// When it next has something to do by itself.
    pub fn deadline(&self) -> Option<u64> {
        let t = &self.timers;
        [t.repeat, t.ack, t.keep_alive, t.probe, t.over].into_iter().flatten().min()
    }

    /// TIME-WAIT gives its port to a SYN with a higher number (RFC 9293, 3.10.7.4).
    pub fn yields_to(&self, syn: &Packet) -> bool {
        self.state == State::TimeWait && syn.seq.is_after(self.rcv_nxt)
    }

    /// The host has rebooted.
    pub fn forget(&mut self) {
        self.vanish();
    }

    fn is_synchronized(&self) -> bool {
        !matches!(self.state, State::SynSent | State::SynReceived | State::Closed)
    }

    /// Its application can still write.
    pub fn can_write(&self) -> bool {
        matches!(self.state, State::Established | State::CloseWait) && !self.fin_wanted
    }

    /// Its application has closed it, and what was written before keeps the FIN from being sent.
    pub fn fin_waits(&self) -> bool {
        self.fin_wanted && !self.fin_sent()
    }

    /// Is this a RST that it will not accept, whenever it arrives? Its number, and the FIN's that may be there, was
    /// received before. The same of a socket that has ended since: the tap knows no more.
    pub fn will_ignore(&self, rst: &Packet) -> bool {
        let was_synchronized = self.una != self.iss;
        was_synchronized && self.rcv_nxt.is_after(rst.seq + 1)
    }

    /// SND.NXT.
    pub fn sent(&self) -> Seq {
        self.nxt
    }

    fn fin_sent(&self) -> bool {
        self.life.fin_sent.is_some()
    }

    fn has_received_fin(&self) -> bool {
        self.life.fin_received.is_some()
    }

    // What the application does.

    /// Writes; with `hold` it goes out together with what comes next.
    pub fn write(&mut self, octets: u32, hold: bool, now: u64) {
        self.now = now;
        if self.can_write() {
            self.written = self.written + octets;
            if !hold {
                self.send_new();
            }
        }
    }

    pub fn end(&mut self, how: Ending, now: u64) {
        self.now = now;
        match self.state {
            // The application has it only once it is accepted.
            State::Closed | State::TimeWait | State::SynReceived => {}
            State::SynSent => self.vanish(),
            _ if how == Ending::Abort => self.abort(),
            // What nobody will read any more is answered by a RST (RFC 2525, 2.17).
            _ if how == Ending::Close && self.unread > 0 => self.abort(),
            _ => self.finish(how),
        }
    }

    pub fn stop_reading(&mut self) {
        self.takes = false;
    }

    pub fn read_on(&mut self, now: u64) {
        self.now = now;
        self.takes = true;
        if std::mem::take(&mut self.unread) > 0 && self.is_synchronized() {
            // The window is open again.
            self.send_ack();
        }
    }

    /// Has its application just come to the end of file?
    pub fn reads_eof(&mut self) -> bool {
        let comes_to_it = self.takes && self.has_received_fin() && !self.knows_eof;
        self.knows_eof |= comes_to_it;
        comes_to_it
    }

    fn window(&self) -> u32 {
        self.manners.room.saturating_sub(self.unread)
    }

    fn finish(&mut self, how: Ending) {
        self.reading &= how != Ending::Close;
        if !self.reading && self.state == State::FinWait2 {
            self.timers.over.get_or_insert(self.now + MINUTE);
        }
        self.fin_wanted = true;
        // The FIN itself may have to wait for its turn.
        self.state = match self.state {
            State::Established => State::FinWait1,
            State::CloseWait => State::LastAck,
            other => other,
        };
        self.send_new();
    }

    fn abort(&mut self) {
        self.life.rst_sent = Some(self.now);
        self.send(Flags::RST | Flags::ACK, self.nxt, 0);
        self.vanish();
    }

    fn vanish(&mut self) {
        self.state = State::Closed;
        self.timers = Timers::default();
    }

    // Sending.

    fn send(&mut self, flags: u8, seq: Seq, len: u32) {
        let ack = if flags & Flags::ACK != 0 { self.rcv_nxt } else { Seq(0) };
        let acks_fin = self.has_received_fin();
        let (from, conn, damaged, renumbered) = (self.host, self.conn, false, false);
        let window = self.window() as u16;
        self.out.push(Packet {
            from,
            conn,
            flags,
            seq,
            ack,
            len,
            window,
            damaged,
            renumbered,
            acks_fin,
        });
        if flags & Flags::ACK != 0 {
            self.timers.ack = None;
            self.unacked_segments = 0;
        }
    }

    fn send_ack(&mut self) {
        self.send(Flags::ACK, self.nxt, 0);
    }

    /// What was written and not sent yet, and the FIN, as far as there is room for it. After a time-out, what is new waits until
    /// what was lost has arrived: the congestion window is one segment (RFC 5681, 3.1).
    fn send_new(&mut self) {
        if !self.is_synchronized() {
            return;
        }
        while self.has_news() && self.recover.is_none() {
            let room = self.una + self.peer_window;
            let room = room.ahead_of(self.nxt).max(0) as u32;
            let len = self.piece(self.nxt).min(room);
            let fin = self.fin_wanted && self.nxt + len == self.written && len < room;
            if len == 0 && !fin {
                break;
            }
            if fin {
                self.life.fin_sent = Some(self.now);
                self.timers.keep_alive = self.timers.keep_alive.filter(|_| self.reading);
            }
            if len > 0 && self.has_received_fin() {
                self.life.used_after_fin = Some(self.now);
            }
            self.send(Flags::ACK | if fin { Flags::FIN } else { 0 }, self.nxt, len);
            self.nxt = self.nxt + len + u32::from(fin);
        }
        self.arm_repeat();
        if self.has_news() && self.nxt == self.una {
            self.timers.probe.get_or_insert(self.now + self.timeout);
        }
    }

    fn has_news(&self) -> bool {
        self.written.is_after(self.nxt) || self.fin_waits()
    }

    /// How much of what was written fits a segment that begins at `seq`.
    fn piece(&self, seq: Seq) -> u32 {
        (self.written.ahead_of(seq).max(0) as u32).min(self.manners.segment)
    }

    fn arm_repeat(&mut self) {
        if self.nxt.is_after(self.una) && self.timers.repeat.is_none() {
            self.timers.repeat = Some(self.now + self.timeout);
        }
    }

    /// The oldest unacknowledged segment again.
    fn repeat(&mut self) {
        match self.state {
            State::SynSent => return self.send(Flags::SYN, self.iss, 0),
            State::SynReceived => return self.send(Flags::SYN | Flags::ACK, self.iss, 0),
            _ => {}
        }
        // What was written since and not sent yet waits for its turn.
        let sent = self.nxt.ahead_of(self.una).max(0) as u32 - u32::from(self.fin_sent());
        let len = sent.min(self.manners.segment);
        let fin = self.fin_sent() && len == sent;
        self.life.repeated_after_fin |= len > 0 && self.has_received_fin();
        self.send(Flags::ACK | if fin { Flags::FIN } else { 0 }, self.una, len);
    }

    // Time.

    pub fn wake(&mut self, now: u64) {
        self.now = now;
        let due = |timer: &mut Option<u64>| timer.take_if(|at| *at <= now).is_some();
        if due(&mut self.timers.over) {
            return self.vanish();
        }
        if due(&mut self.timers.repeat) {
            self.time_out();
        }
        if due(&mut self.timers.ack) {
            self.send_ack();
        }
        if due(&mut self.timers.probe) {
            self.probe();
        }
        if due(&mut self.timers.keep_alive) {
            self.keep_alive();
        }
    }

    /// Asks whether the window is still closed (3.8.6.1).
    fn probe(&mut self) {
        if !self.has_news() || self.nxt != self.una {
            return;
        }
        self.retries += 1;
        if self.retries > if self.reading { RETRIES } else { ORPHAN_RETRIES } {
            return self.vanish();
        }
        self.timeout = (self.timeout * 2).min(LONGEST_TIMEOUT);
        self.send(Flags::ACK, Seq(self.nxt.0.wrapping_sub(1)), 0);
        self.timers.probe = Some(self.now + self.timeout);
    }

    fn time_out(&mut self) {
        self.retries += 1;
        let most = match self.state {
            State::SynSent | State::SynReceived => SYN_RETRIES,
            _ if !self.reading => ORPHAN_RETRIES,
            _ => RETRIES,
        };
        if self.retries > most {
            return self.vanish();
        }
        self.timeout = (self.timeout * 2).min(LONGEST_TIMEOUT);
        self.recover = Some(self.nxt);
        self.repeat();
        self.timers.repeat = Some(self.now + self.timeout);
    }

    /// Some systems send the last octet again, some none.
    fn keep_alive(&mut self) {
        if self.una == self.nxt {
            let len = u32::from(self.manners.keep_alive_octet);
            self.send(Flags::ACK, Seq(self.nxt.0.wrapping_sub(1)), len);
        }
        self.timers.keep_alive = self.manners.keep_alive.map(|every| self.now + every);
    }

    // Receiving, in the order of 3.10.7.

    pub fn receive(&mut self, packet: &Packet, now: u64) {
        self.now = now;
        match self.state {
            State::Closed => {}
            State::SynSent => self.receive_in_syn_sent(packet),
            State::TimeWait if packet.has(Flags::RST) => {}
            _ if packet.has(Flags::RST) => self.receive_rst(packet),
            _ if packet.has(Flags::SYN) => self.receive_syn(packet),
            _ if packet.has(Flags::ACK) => self.receive_segment(packet),
            _ => {}
        }
    }

    fn receive_in_syn_sent(&mut self, packet: &Packet) {
        let acceptable = packet.has(Flags::ACK) && packet.ack == self.iss + 1;
        if packet.has(Flags::RST) {
            if acceptable {
                self.vanish();
            }
        } else if packet.has(Flags::ACK) && !acceptable {
            self.out.push(packet.refusal());
        } else if acceptable && packet.has(Flags::SYN) {
            self.rcv_nxt = packet.seq + 1;
            self.peer_window = u32::from(packet.window);
            self.establish();
            if self.manners.slow_third_ack {
                self.timers.ack = Some(self.now + self.manners.ack_delay);
            } else {
                self.send_ack();
            }
        }
    }

    fn establish(&mut self) {
        self.state = State::Established;
        self.una = self.iss + 1;
        self.recover = None;
        self.timers.repeat = None;
        self.retries = 0;
        self.timeout = self.manners.timeout;
        self.timers.keep_alive = self.manners.keep_alive.map(|every| self.now + every);
        self.send_new();
    }

    /// RFC 5961, 3.2: only the exact number resets, one near it is challenged. Linux takes the FIN's own, too.
    fn receive_rst(&mut self, packet: &Packet) {
        let after_fin = matches!(self.state, State::CloseWait | State::LastAck | State::Closing);
        if packet.seq == self.rcv_nxt || after_fin && packet.seq + 1 == self.rcv_nxt {
            return self.vanish();
        }
        self.life.ignored_rst = true;
        if (0..65_536).contains(&packet.seq.ahead_of(self.rcv_nxt)) {
            self.send_ack();
        }
    }

    /// RFC 5961, 4.2: a SYN is challenged; the same SYN again is answered as before.
    fn receive_syn(&mut self, packet: &Packet) {
        let same = packet.seq + 1 == self.rcv_nxt;
        if self.state == State::SynReceived && same {
            self.send(Flags::SYN | Flags::ACK, self.iss, 0);
        } else {
            self.send_ack();
        }
    }

    fn receive_segment(&mut self, packet: &Packet) {
        if self.state == State::SynReceived {
            if packet.ack != self.iss + 1 {
                return self.out.push(packet.refusal());
            }
            self.establish();
        }
        if packet.ack.is_after(self.nxt) {
            return self.send_ack();
        }
        self.touch();
        if !self.una.is_after(packet.ack) {
            self.peer_window = u32::from(packet.window);
        }
        self.receive_ack(packet.ack);
        if self.state != State::Closed && self.has_news() {
            self.send_new();
        }
        if self.state != State::Closed && packet.end() != packet.seq {
            self.receive_text(packet);
        } else if self.rcv_nxt.is_after(packet.seq) && self.rcv_nxt.ahead_of(packet.seq) == 1 {
            self.send_ack();
        }
    }

    /// Whatever comes shows that the other side is alive.
    fn touch(&mut self) {
        if let (Some(at), Some(every)) = (&mut self.timers.keep_alive, self.manners.keep_alive) {
            *at = self.now + every;
        }
    }

    fn receive_ack(&mut self, ack: Seq) {
        if !ack.is_after(self.una) {
            return;
        }
        self.una = ack;
        self.retries = 0;
        self.timeout = self.manners.timeout;
        self.timers.repeat = None;
        self.arm_repeat();
        self.recover = self.recover.filter(|recover| recover.is_after(ack));
        if self.recover.is_some() {
            self.repeat();
        }
        if self.fin_sent() && self.una == self.nxt {
            self.fin_acknowledged();
        }
    }

    fn fin_acknowledged(&mut self) {
        match self.state {
            State::FinWait1 => {
                self.state = State::FinWait2;
                self.timers.over = (!self.reading).then_some(self.now + MINUTE);
            }
            State::Closing => self.enter_time_wait(),
            State::LastAck => self.vanish(),
            _ => {}
        }
    }

    fn enter_time_wait(&mut self) {
        self.state = State::TimeWait;
        self.timers = Timers { over: Some(self.now + MINUTE), ..Timers::default() };
    }

    fn receive_text(&mut self, packet: &Packet) {
        if !self.has_room_for(packet) {
            return self.send_ack();
        }
        let end_of_text = packet.seq + packet.len;
        let new_text = end_of_text.is_after(self.rcv_nxt);
        let in_fin_wait = matches!(self.state, State::FinWait1 | State::FinWait2);
        if !self.reading && in_fin_wait && new_text {
            // Nobody will read it (TCPABORTONDATA).
            self.life.rst_sent = Some(self.now);
            self.out.push(packet.refusal());
            return self.vanish();
        }
        if packet.has(Flags::FIN) {
            self.peer_fin = Some(end_of_text);
        }
        let in_order = !packet.seq.is_after(self.rcv_nxt);
        self.early.push((packet.seq, packet.end()));
        self.take_in_order();
        self.acknowledge(in_order);
    }

    /// Has it something new that lies in the window? Nothing else is taken, a FIN as little as an octet (3.10.7.4, first).
    fn has_room_for(&self, packet: &Packet) -> bool {
        let begins_within = packet.seq.ahead_of(self.rcv_nxt) < self.window() as i32;
        begins_within && packet.end().is_after(self.rcv_nxt)
    }

    fn take_in_order(&mut self) {
        let before = self.rcv_nxt;
        while let Some(i) = self.early.iter().position(|(from, _)| !from.is_after(self.rcv_nxt)) {
            let (_, to) = self.early.swap_remove(i);
            self.rcv_nxt = self.rcv_nxt.max(to);
        }
        let fin = self.peer_fin.is_some_and(|fin| self.rcv_nxt.is_after(fin));
        let fin = fin && !self.has_received_fin();
        if !self.takes {
            self.unread += self.rcv_nxt.ahead_of(before) as u32 - u32::from(fin);
        }
        if fin {
            self.receive_fin();
        }
    }

    fn receive_fin(&mut self) {
        self.life.fin_received = Some(self.now);
        match self.state {
            State::Established => self.state = State::CloseWait,
            State::FinWait1 => self.state = State::Closing,
            State::FinWait2 => self.enter_time_wait(),
            _ => {}
        }
    }

    /// Late and early segments are acknowledged at once, others with every second one or after a while.
    fn acknowledge(&mut self, in_order: bool) {
        self.unacked_segments += 1;
        let at_once = !in_order
            || self.unacked_segments >= 2
            || !self.early.is_empty()
            || self.state == State::TimeWait;
        if at_once || self.manners.ack_delay == 0 {
            self.send_ack();
        } else {
            self.timers.ack.get_or_insert(self.now + self.manners.ack_delay);
        }
    }
}
