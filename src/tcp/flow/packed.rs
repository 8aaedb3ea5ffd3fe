//! A flow in few octets, until it is unpacked as it was: for those that wait for nothing but late packets.

use super::{Closings, Flow, Half, Pause, Seq, Slot};
use crate::place::Place;
use crate::tcp::packed::{Base, Code, Reader};

impl Flow {
    /// Reads the flow that was written with this base.
    pub(crate) fn unpacked(reader: &mut Reader, base: Place) -> Flow {
        Flow::of_nothing(base).coded(reader, base)
    }

    /// Reads no more of it than its last packet.
    pub(crate) fn last_packed(reader: &mut Reader, base: Place) -> Place {
        let first = reader.place(base, base);
        reader.place(first, first)
    }

    /// Writes the flow, or reads another one. Any place will do as the base, best one that is near.
    pub(crate) fn coded(self, code: &mut impl Code, base: Place) -> Flow {
        let first = code.place(self.first, base);
        let last = code.place(self.last, first);
        let [a, b] = &self.halves;
        let a = a.coded(code, &Half::new());
        let b = b.coded(code, &a);
        let last_payload = code.some_place(self.last_payload, last);
        let near = last_payload.unwrap_or(last).time;
        Flow {
            first,
            last,
            last_payload,
            recent: self.recent.coded(code, near),
            closing: code.option(self.closing, |code, mut closing| {
                *closing = std::mem::take(&mut *closing).coded(code, [&a, &b], last);
                closing
            }),
            pause: code.option(self.pause, |code, pause| Box::new(pause.coded(code, last))),
            manner: self.manner.coded(code),
            scales: self.scales.coded(code),
            notes: self.notes.coded(code),
            // Most have none, which is the greatest.
            slot: Slot(!(code.number((!self.slot.0).into()) as u32)),
            halves: [a, b],
        }
    }
}

impl Closings {
    fn coded(self, code: &mut impl Code, halves: [&Half; 2], last: Place) -> Closings {
        let [a, b] = halves.map(|half| half.snd_max().unwrap_or(Seq(0)));
        let [closing_a, closing_b] = self.sides;
        Closings {
            sides: [
                closing_a.coded(code, Base { last, sent: a, others_sent: b }),
                closing_b.coded(code, Base { last, sent: b, others_sent: a }),
            ],
            last_use: self.last_use.coded(code, last.time),
        }
    }
}

impl Pause {
    fn coded(self, code: &mut impl Code, last: Place) -> Pause {
        let ended = code.place(self.ended, last);
        Pause { began: code.time(self.began, ended.time), ended }
    }
}
