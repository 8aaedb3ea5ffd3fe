//! Packets that a filter may let pass, as far as the ends of a connection tell: all else in them (length, flags, tags,
//! direction) is unknown, and a program that asks for it takes both ways.

use std::collections::HashSet;

/// Bits of which some are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bits {
    /// The known ones; the others are 0 here.
    value: u32,
    known: u32,
}

impl Bits {
    /// Bits of which none is known.
    const UNKNOWN: Bits = Bits { value: 0, known: 0 };

    /// An octet of which nothing is known.
    pub const OCTET: Bits = Bits::octet(0, 0);

    /// Makes bits that are all known.
    const fn exactly(value: u32) -> Bits {
        Bits { value, known: u32::MAX }
    }

    /// Makes an octet of which these bits are known.
    pub const fn octet(value: u8, known: u8) -> Bits {
        Bits { value: (value & known) as u32, known: known as u32 | !0xff }
    }

    fn all(self) -> Option<u32> {
        (self.known == u32::MAX).then_some(self.value)
    }

    /// With this octet after it.
    fn then(self, octet: Bits) -> Bits {
        Bits { value: self.value << 8 | octet.value, known: self.known << 8 | octet.known & 0xff }
    }

    /// The result of an operation of BPF; none where it divides by zero, which ends a program.
    fn with(self, operation: u32, by: Bits) -> Option<Bits> {
        let both = self.known & by.known;
        let made = |value: u32, known: u32| Bits { value: value & known, known };
        Some(match (operation, by.all()) {
            // A bit that is 0 on one side is known, whatever the other has.
            (0x50, _) => {
                let zero = self.known & !self.value | by.known & !by.value;
                made(self.value & by.value, both | zero)
            }
            (0x40, _) => made(self.value | by.value, both | self.value | by.value),
            (0xa0, _) => made(self.value ^ by.value, both),
            (0x60, Some(n)) if n < 32 => made(self.value << n, self.known << n | !(u32::MAX << n)),
            (0x70, Some(n)) if n < 32 => made(self.value >> n, self.known >> n | !(u32::MAX >> n)),
            (0x60 | 0x70, Some(_)) => Bits::exactly(0),
            (0x30 | 0x90, Some(0)) => return None,
            (_, Some(by)) => self.all().map_or(Bits::UNKNOWN, |all| match operation {
                0x00 => Bits::exactly(all.wrapping_add(by)),
                0x10 => Bits::exactly(all.wrapping_sub(by)),
                0x20 => Bits::exactly(all.wrapping_mul(by)),
                0x30 => Bits::exactly(all / by),
                0x90 => Bits::exactly(all % by),
                _ => Bits::UNKNOWN,
            }),
            _ => Bits::UNKNOWN,
        })
    }

    /// Tells whether a comparison of BPF holds, where that is known.
    fn compares(self, comparison: u32, with: Bits) -> Option<bool> {
        let (least, most) = (self.value, self.value | !self.known);
        let (its_least, its_most) = (with.value, with.value | !with.known);
        let either = |yes: bool, no: bool| if yes { Some(true) } else { no.then_some(false) };
        match comparison {
            0x10 => {
                let differ = (self.value ^ with.value) & self.known & with.known;
                either(least == most && its_least == its_most && differ == 0, differ != 0)
            }
            0x20 => either(least > its_most, most <= its_least),
            0x30 => either(least >= its_most, most < its_least),
            0x40 => either(least & its_least != 0, most & its_most == 0),
            _ => None,
        }
    }
}

/// An instruction of BPF.
#[derive(Clone, Copy, Debug)]
pub struct Instruction {
    /// The operation.
    pub code: u32,
    /// Instructions to skip where a comparison holds, and where not.
    pub skip: [u32; 2],
    /// Its number.
    pub k: u32,
}

/// A program at one of its instructions.
#[derive(Clone, PartialEq, Eq, Hash)]
struct At {
    next: usize,
    a: Bits,
    x: Bits,
    memory: [Bits; 16],
}

/// The most ways that are followed, and the most instructions of all of them. A program of more may let anything pass.
const WAYS: usize = 10_000;
const STEPS: usize = 1_000_000;

/// Tells whether a program may let a packet pass that begins with these octets: where it cannot be told, it may.
pub fn may_pass(program: &[Instruction], packet: &[Bits]) -> bool {
    let begin =
        At { next: 0, a: Bits::exactly(0), x: Bits::exactly(0), memory: [Bits::exactly(0); 16] };
    let (mut ways, mut seen) = (vec![begin], HashSet::new());
    for _ in 0..STEPS {
        let Some(at) = ways.last_mut() else { return false };
        match step(program, packet, at) {
            Step::On => {}
            Step::Ends(true) => return true,
            Step::Ends(false) => drop(ways.pop()),
            Step::Both(one, other) => {
                let at = ways.pop().into_iter();
                let both = at.flat_map(|at| [one, other].map(|next| At { next, ..at.clone() }));
                ways.extend(both.filter(|way| seen.insert(way.clone())));
            }
        }
        if seen.len() > WAYS {
            return true;
        }
    }
    true
}

/// The outcome of an instruction.
enum Step {
    On,
    /// It may go on at either of these.
    Both(usize, usize),
    /// The packet passes, as far as is known, or it does not.
    Ends(bool),
}

fn step(program: &[Instruction], packet: &[Bits], at: &mut At) -> Step {
    let Some(&Instruction { code, skip, k }) = program.get(at.next) else {
        return Step::Ends(false);
    };
    at.next += 1;
    let number = if code & 8 == 0 { Bits::exactly(k) } else { at.x };
    let cell = at.memory.get_mut(k as usize % 16);
    match (code & 7, code & 0xf0) {
        (2, _) => cell.into_iter().for_each(|cell| *cell = at.a),
        (3, _) => cell.into_iter().for_each(|cell| *cell = at.x),
        (4, 0x80) => at.a = at.a.all().map_or(Bits::UNKNOWN, |a| Bits::exactly(a.wrapping_neg())),
        (4, operation) => match at.a.with(operation, number) {
            Some(a) => at.a = a,
            None => return Step::Ends(false),
        },
        // Back, too: a chain of headers is a loop.
        (5, 0) => at.next = at.next.wrapping_add_signed(k.cast_signed() as isize),
        (5, comparison) => {
            let [yes, no] = skip.map(|skip| at.next + skip as usize);
            match at.a.compares(comparison, number) {
                Some(holds) => at.next = if holds { yes } else { no },
                None => return Step::Both(yes, no),
            }
        }
        (6, 0x10) => return Step::Ends(at.a != Bits::exactly(0)),
        (6, _) => return Step::Ends(number != Bits::exactly(0)),
        (7, 0x80) => at.a = at.x,
        (7, _) => at.x = at.a,
        (0, _) => at.a = loaded(code, k, packet, at),
        (_, _) => at.x = loaded(code, k, packet, at),
    }
    Step::On
}

/// Loads octets of the packet, a number, its length, or what was put aside.
fn loaded(code: u32, k: u32, packet: &[Bits], at: &At) -> Bits {
    let octets = match code & 0x18 {
        0 => 4,
        8 => 2,
        _ => 1,
    };
    let from = |place: u32| {
        let octet = |i| packet.get((place as usize).saturating_add(i)).copied();
        let octets = (0..octets).map(|i| octet(i).unwrap_or(Bits::OCTET));
        octets.fold(Bits::exactly(0), Bits::then)
    };
    match code & 0xe0 {
        0x00 => Bits::exactly(k),
        0x20 => from(k),
        0x40 => at.x.all().map_or(Bits::UNKNOWN, |x| from(x.wrapping_add(k))),
        0x60 => at.memory.get(k as usize % 16).copied().unwrap_or(Bits::UNKNOWN),
        // The length of the header of IPv4.
        0xa0 => {
            let words = from(k).with(0x50, Bits::exactly(15));
            words.and_then(|words| words.with(0x60, Bits::exactly(2))).unwrap_or(Bits::UNKNOWN)
        }
        _ => Bits::UNKNOWN,
    }
}
