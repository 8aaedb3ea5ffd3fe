//! How a connection really ended up, told by the hosts; and which verdicts tell that.

use closewait::tcp::segment::Flags;
use closewait::tcp::seq::Seq;

use crate::plan::{LOCAL, PEER};
use crate::socket::{Life, Packet, Socket, State};
use crate::tap::Stand;
use crate::world::World;

/// `--half-close-quiet`, and what the way to the tap may add or take.
const QUIET: u64 = 30_000_000;
const SLACK: u64 = 1_500_000;

/// One connection at the end of the capture.
#[derive(Clone, Debug)]
pub struct Truth {
    pub local: Option<State>,
    pub peer: Option<State>,
    pub lives: [Life; 2],
    /// What came past the tap, captured or not.
    pub passed: Words,
    /// A FIN or RST of local's was sent, and was lost or still on its way before the tap; or its FIN waits behind payload that was.
    pub word_lost: bool,
    /// Local has closed, and its FIN waits behind payload.
    pub fin_waits: bool,
    /// A RST came past the tap that its receiver ignored, or will, or never received.
    pub rst_ignored: bool,
    /// Whatever local sent at a time was lost before the tap: its interface was down.
    pub down: bool,
}

/// The words that end a connection, by side.
#[derive(Clone, Copy, Debug, Default)]
pub struct Words {
    fin: [bool; 2],
    rst: [bool; 2],
    /// An acknowledgment of the other side's FIN.
    fin_ack: [bool; 2],
    /// Anything but SYNs without ACK.
    more_than_syn: bool,
    /// A SYN/ACK; and a RST after it.
    syn_ack: bool,
    rst_after_syn_ack: bool,
    /// Something that was damaged on its way, and that nobody received.
    pub damaged: bool,
    packets: [u64; 2],
    /// The number after the highest octet.
    end: [Option<Seq>; 2],
}

impl Words {
    fn of<'a>(packets: impl Iterator<Item = &'a Packet>) -> Words {
        let mut words = Words::default();
        for packet in packets {
            words.damaged |= packet.damaged;
            if packet.damaged {
                continue;
            }
            let from = packet.from;
            words.packets[from] += 1;
            let end = words.end[from].map_or(packet.end(), |end| end.max(packet.end()));
            words.end[from] = Some(end);
            words.rst[from] |= packet.has(Flags::RST);
            words.syn_ack |= packet.has(Flags::SYN) && packet.has(Flags::ACK);
            words.rst_after_syn_ack |= packet.has(Flags::RST) && words.syn_ack;
            words.fin[from] |= packet.has(Flags::FIN);
            words.fin_ack[from] |= packet.acks_fin && !packet.has(Flags::RST);
            words.more_than_syn |= !packet.has(Flags::SYN) || packet.has(Flags::ACK);
        }
        words
    }
}

impl Truth {
    pub fn of(world: &World, conn: usize) -> Truth {
        let packets = world.passed.iter().map(|passed| &passed.packet);
        let packets = packets.filter(|packet| packet.conn == conn);
        let passed = Words::of(packets.clone());
        let socket = |host| world.socket(host, conn);
        let lives = [LOCAL, PEER].map(|host| socket(host).map_or(Life::default(), |s| s.life));
        let fin_lost = lives[LOCAL].fin_sent.is_some() && !passed.fin[LOCAL];
        let rst_lost = world.resets_sent[conn][LOCAL] && !passed.rst[LOCAL];
        let fin_waits = socket(LOCAL).is_some_and(Socket::fin_waits);
        let mut resets = packets.filter(|packet| packet.has(Flags::RST) && !packet.damaged);
        let unheeded = |rst: &Packet, to: &Socket| to.will_ignore(rst) || to.state != State::Closed;
        let on_its_way = resets.any(|rst| socket(1 - rst.from).is_some_and(|to| unheeded(rst, to)));
        let end = passed.end[LOCAL];
        let payload_lost =
            socket(LOCAL).is_some_and(|socket| end.is_none_or(|end| socket.sent().is_after(end)));
        Truth {
            local: socket(LOCAL).map(|s| s.state),
            peer: socket(PEER).map(|s| s.state),
            rst_ignored: on_its_way
                || world.stale_resets[conn]
                || lives.iter().any(|life| life.ignored_rst),
            lives,
            passed,
            word_lost: fin_lost || rst_lost || fin_waits && payload_lost,
            fin_waits,
            down: world.was_down(LOCAL),
        }
    }

    /// Local received the peer's FIN, and neither sent its own nor was reset.
    pub fn is_close_wait(&self) -> bool {
        self.local == Some(State::CloseWait)
    }

    /// Either host has it in CLOSE-WAIT.
    pub fn holds(&self) -> bool {
        [self.local, self.peer].contains(&Some(State::CloseWait))
    }

    /// How long, in microseconds.
    pub fn held(&self, end: u64) -> Option<u64> {
        let from = self.lives[LOCAL].fin_received?;
        Some(self.lives[LOCAL].fin_sent.unwrap_or(end).saturating_sub(from))
    }

    /// The verdicts that are right where everything that came past the tap was captured.
    pub fn verdicts(&self, stand: Stand, end: u64) -> Vec<&'static str> {
        let Words { fin, rst, more_than_syn, syn_ack, rst_after_syn_ack, damaged, .. } =
            self.passed;
        let reset = rst != [false; 2];
        if !more_than_syn {
            // Of an answer that nobody received, the capture shows nothing but its checksum.
            return if damaged { vec!["attempt", "open"] } else { vec!["attempt"] };
        }
        let ended = match fin {
            [true, true] => vec!["closed"],
            [false, false] => vec!["open"],
            [true, false] if self.passed.fin_ack[PEER] => vec!["peer-holds"],
            [true, false] => vec!["fin-unacked", "peer-holds"],
            [false, true] => self.of_close_wait(stand, end),
        };
        // A RST that came by before the first SYN/ACK did may be an older connection's: nobody there can tell.
        let before_answer = syn_ack && !rst_after_syn_ack;
        // A RST that its receiver ignored resets nothing.
        match reset {
            false => ended,
            true if fin == [true, true] || self.rst_ignored || before_answer => {
                [ended, vec!["reset"]].concat()
            }
            true => vec!["reset"],
        }
    }

    fn of_close_wait(&self, stand: Stand, end: u64) -> Vec<&'static str> {
        let mut verdicts = self.of_holding(stand, end);
        if !self.passed.fin_ack[LOCAL] {
            verdicts.push("fin-unacked");
        }
        verdicts
    }

    fn of_holding(&self, stand: Stand, end: u64) -> Vec<&'static str> {
        let life = &self.lives[LOCAL];
        let quiet = life.used_after_fin.map(|at| end - at);
        // Elsewhere than at local, a repetition can look like the first transmission.
        let unclear = stand != Stand::AtLocal && life.repeated_after_fin || self.down;
        match quiet {
            _ if unclear => vec!["leak", "half-closed"],
            Some(quiet) if quiet + SLACK < QUIET && stand == Stand::AtLocal => vec!["half-closed"],
            Some(quiet) if quiet < QUIET + SLACK => vec!["half-closed", "leak"],
            _ => vec!["leak"],
        }
    }
}
