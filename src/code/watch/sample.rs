//! An event, read from its octets.

use std::net::{IpAddr, Ipv6Addr};

use perf_event_open::config::RegsMask;
use perf_event_open::sample::record::sample::{Abi, CallChain as Chain, Sample};

use super::CannotArm;
use super::calls::{FIRST_ARGUMENT, SHARES_FILES, begun};
use super::layout::{Layout, number};
use super::wanted::{Kind, Wanted};
use crate::code::book::{Event, State, What};
use crate::code::descriptors::{Call, Did};
use crate::code::stacks::{Found, Stack};
use crate::code::unwind::{Copied, MASK, Registers};
use crate::tcp::segment::Endpoint;

/// Functions of a stack that the kernel follows along frame pointers, on machines whose registers are not known here.
pub const FRAMES: u16 = 64;

/// An event, as the kernel tells it.
#[derive(Clone, Debug)]
pub enum Seen {
    /// An event of a socket.
    Socket(Event),
    /// A call of a thread's.
    Thread(Call),
}

impl Seen {
    /// Returns its time.
    pub fn at(&self) -> u64 {
        match self {
            Seen::Socket(event) => event.at,
            Seen::Thread(call) => call.at,
        }
    }
}

/// A field: its place, and its size.
type Place = (usize, usize);

/// The places of what is read of an event.
#[derive(Clone, Copy)]
enum Places {
    /// The states, the ports and the addresses.
    State {
        socket: Place,
        of_state: [Place; 6],
    },
    /// The number of octets.
    Socket {
        socket: Place,
        octets: Place,
    },
    /// The call's number, and its arguments.
    Begins {
        call: Place,
        arguments: Place,
    },
    /// The number that it returned.
    Returns {
        result: Place,
    },
    Starts {
        child: Place,
        flags: Place,
    },
}

/// The way in which an event is read.
#[derive(Clone, Copy)]
pub struct Fields {
    pub kind: Kind,
    places: Places,
}

impl Fields {
    pub fn of(wanted: &Wanted, layout: &Layout) -> Result<Fields, CannotArm> {
        let field =
            |name: &'static str| layout.field(name).ok_or(CannotArm::NoField(wanted.event, name));
        let places = match wanted.kind {
            Kind::Connect | Kind::State => {
                let [from, to, sport, dport, saddr, daddr] =
                    ["oldstate", "newstate", "sport", "dport", "saddr_v6", "daddr_v6"].map(field);
                let of_state = [from?, to?, sport?, dport?, saddr?, daddr?];
                Places::State { socket: field("skaddr")?, of_state }
            }
            Kind::Sent | Kind::EndOfFile => {
                Places::Socket { socket: field("sk")?, octets: field("ret")? }
            }
            Kind::Begins => Places::Begins { call: field("id")?, arguments: field("args")? },
            Kind::CallSent | Kind::CallEmpty | Kind::CallDone => {
                Places::Returns { result: field("ret")? }
            }
            Kind::Starts => Places::Starts { child: field("pid")?, flags: field("clone_flags")? },
        };
        Ok(Fields { kind: wanted.kind, places })
    }

    /// Reads an event, and the copy of its stack; none if it is not understood. An event that tells nothing
    /// is fine.
    pub fn read(&self, mut sample: Sample) -> Option<(Option<Seen>, Option<Copied>)> {
        let raw = sample.raw.take()?;
        let at = sample.record_id.time?;
        let task = sample.record_id.task.take()?;
        let (mut values, is_native) = match sample.user_regs.take() {
            Some((values, abi)) => (values, matches!(abi, Abi::_64)),
            None => (Vec::new(), false),
        };
        let argument = match self.kind {
            Kind::Connect | Kind::CallEmpty => take_argument(&mut values),
            _ => None,
        };
        let chain = sample.call_chain.take().unwrap_or_default().into_iter();
        let user =
            chain.flat_map(|part| if let Chain::User(part) = part { part } else { Vec::new() });
        let addresses = user.take(usize::from(FRAMES)).collect();
        let stack = Stack { addresses, found: Found::Chain };
        let registers = Some(values).filter(|_| is_native);
        let registers = registers.and_then(|values| Registers::of_perf(&values));
        let copied = registers.zip(sample.user_stack.take());
        let copied = copied.map(|(registers, stack)| Copied { registers, stack });
        let (pid, thread) = (task.pid, task.tid);
        let event = |socket, what, stack| Seen::Socket(Event { at, socket, pid, what, stack });
        let call = |did, stack| Seen::Thread(Call { at, pid, thread, did, stack });
        let seen = match self.places {
            Places::State { socket, of_state } => {
                let what = match state_of(&raw, of_state)? {
                    // Calls of programs of 32 bits have other arguments.
                    What::State { ends, .. } if self.kind == Kind::Connect => {
                        What::Connects { ends, descriptor: argument.filter(|_| is_native) }
                    }
                    changed => changed,
                };
                Some(event(number(&raw, socket)?, what, stack))
            }
            Places::Socket { socket, octets } => {
                let octets = u32::try_from(number(&raw, octets)?).ok()?;
                let is_sent = self.kind == Kind::Sent;
                let what = if is_sent { What::Sent(octets) } else { What::EndOfFile };
                Some(event(number(&raw, socket)?, what, stack))
            }
            Places::Begins { call: which, arguments } => {
                let (first, _) = arguments;
                let [a, b, c] = [0, 8, 16].map(|at| number(&raw, (first + at, 8)));
                begun(number(&raw, which)?, [a?, b?, c?]).map(|did| call(did, stack))
            }
            Places::Returns { result } => match self.kind {
                // What is negative is an error.
                Kind::CallDone => {
                    let copy = i32::try_from(number(&raw, result)?.cast_signed()).ok();
                    Some(call(Did::Done(copy.and_then(|copy| copy.try_into().ok())), stack))
                }
                // Calls of programs of 32 bits have other numbers: these are not what they seem.
                _ if !is_native => None,
                Kind::CallEmpty => Some(call(Did::Empty(argument?), stack)),
                _ => {
                    let octets = u32::try_from(number(&raw, result)?).ok()?;
                    Some(call(Did::Sent(octets), stack))
                }
            },
            Places::Starts { child, flags } => {
                let child = u32::try_from(number(&raw, child)?).ok()?;
                let shares = number(&raw, flags)? & SHARES_FILES != 0;
                Some(call(Did::Starts { child, shares }, stack))
            }
        };
        Some((seen, copied))
    }
}

/// The registers that are asked for with an event.
pub fn registers(kind: Kind) -> RegsMask {
    let argument = FIRST_ARGUMENT.filter(|_| matches!(kind, Kind::Connect | Kind::CallEmpty));
    RegsMask(MASK | argument.map_or(0, |argument| 1 << argument))
}

/// Takes the register of the first argument out of all that were asked for: they come in their order.
fn take_argument(values: &mut Vec<u64>) -> Option<u32> {
    let before = MASK & ((1 << FIRST_ARGUMENT?) - 1);
    let at = before.count_ones() as usize;
    (at < values.len()).then(|| (values.remove(at) & 0xffff_ffff) as u32)
}

fn state_of(raw: &[u8], [from, to, sport, dport, saddr, daddr]: [Place; 6]) -> Option<What> {
    let end = |address, port| {
        let port = u16::try_from(number(raw, port)?).ok()?;
        Some(Endpoint { ip: address_of(raw, address)?, port })
    };
    let [from, to] = [from, to].map(|field| number(raw, field).map(state));
    Some(What::State { from: from?, to: to?, ends: (end(saddr, sport)?, end(daddr, dport)?) })
}

/// An IPv4 address is a mapped one there.
fn address_of(raw: &[u8], (offset, size): Place) -> Option<IpAddr> {
    let octets: [u8; 16] = raw.get(offset..offset.checked_add(size)?)?.try_into().ok()?;
    let ip = Ipv6Addr::from(octets);
    Some(ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4))
}

/// By the kernel's numbers (`net/tcp_states.h`).
fn state(number: u64) -> State {
    match number {
        3 | 12 => State::Accepting,
        7 => State::Closed,
        8 => State::CloseWait,
        _ => State::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever registers there are, the argument is one of them, and the others stay in their order.
    #[test]
    fn the_argument_is_taken_out_of_the_registers() {
        for kind in [Kind::Connect, Kind::CallEmpty] {
            let mask = registers(kind).0;
            let mut values: Vec<u64> = (0..64).filter(|at| mask & 1 << at != 0).collect();
            let argument = take_argument(&mut values);
            assert_eq!(argument, FIRST_ARGUMENT);
            let others: Vec<u64> = (0..64).filter(|at| MASK & 1 << at != 0).collect();
            assert_eq!(values, others);
        }
        assert_eq!(registers(Kind::Sent).0, MASK);
    }
}
