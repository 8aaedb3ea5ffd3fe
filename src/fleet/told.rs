//! Files by which the runs that judge shares of one capture tell each other what they know.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::part::At;
use crate::join::legs::Leg;
use crate::run::share::Share;
use crate::tcp::holes::Count;
use crate::tcp::segment::Endpoint;

/// [`Share`], as it is written.
#[derive(Debug, Serialize, Deserialize)]
pub struct Told {
    schema: u32,
    /// The share: `3/8`.
    pub shard: String,
    holes: [u64; 4],
    legs: Vec<LegLine>,
}

#[derive(Debug, Serialize, Deserialize)]
struct LegLine {
    /// The number of the file of the first packet, and of the FIN.
    files: [u16; 2],
    places: [At; 2],
    holder: EndLine,
    closer: EndLine,
    dialled_by_holder: bool,
    octets: [u32; 2],
    ends: [EndLine; 2],
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct EndLine {
    ip: IpAddr,
    port: u16,
}

const SCHEMA: u32 = 1;

impl From<Endpoint> for EndLine {
    fn from(Endpoint { ip, port }: Endpoint) -> EndLine {
        EndLine { ip, port }
    }
}

impl From<EndLine> for Endpoint {
    fn from(EndLine { ip, port }: EndLine) -> Endpoint {
        Endpoint { ip, port }
    }
}

impl Told {
    /// Writes down what a share says of itself.
    pub fn new(shard: String, share: &Share) -> Told {
        let legs = share.legs.iter().map(|(leg, ends)| LegLine::new(leg, *ends)).collect();
        Told { schema: SCHEMA, shard, holes: share.holes.numbers(), legs }
    }

    /// Returns what it told; nothing where it has a form that is not known.
    pub fn share(&self) -> Option<Share> {
        let legs = self.legs.iter().map(LegLine::leg).collect();
        let share = Share { holes: Count::of_numbers(self.holes), legs };
        (self.schema == SCHEMA).then_some(share)
    }
}

impl LegLine {
    fn new(leg: &Leg, ends: [Endpoint; 2]) -> LegLine {
        let [holder, closer] = leg.ends();
        let (dialled_by_holder, octets) = leg.manner();
        LegLine {
            files: leg.places().map(|place| u16::try_from(place.file()).unwrap_or_default()),
            places: leg.places().map(At::of),
            holder: holder.into(),
            closer: closer.into(),
            dialled_by_holder,
            octets,
            ends: ends.map(EndLine::from),
        }
    }

    fn leg(&self) -> (Leg, [Endpoint; 2]) {
        let places = [0, 1].map(|at| self.places[at].place(self.files[at]));
        let ends = [self.holder, self.closer].map(Endpoint::from);
        let leg = Leg::told(places, ends, (self.dialled_by_holder, self.octets));
        (leg, self.ends.map(Endpoint::from))
    }
}
