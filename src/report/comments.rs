//! Comments beside the packets of a finding, for readers of the pcapng file.

use crate::place::Place;
use crate::summary::Row;
use crate::summary::evidence::evidence;
use crate::tcp::segment::{End, Segment};
use crate::tcp::side::Side;
use crate::units::duration;
use crate::verdict::Verdict;

/// The comments of one connection.
pub struct Comments {
    /// The end that sent FIN first.
    closer: Option<End>,
    fin: Option<Place>,
    acked: Option<Place>,
    of_fin: String,
    of_ack: String,
}

impl Comments {
    /// Prepares the comments of one finding.
    pub fn new(row: &Row) -> Comments {
        let first = row.judged.flow.first_fin();
        let end = |side: Side| row.judged.endpoint(side);
        let holder = first.map_or(String::new(), |(side, _)| end(side.other()).to_string());
        Comments {
            closer: first.map(|(side, _)| row.judged.flow.end(side)),
            fin: first.map(|(_, fin)| fin.place),
            acked: first.and_then(|(_, fin)| fin.acked),
            of_fin: of_fin(row, &holder),
            of_ack: format!("CLOSE-WAIT of {holder} begins"),
        }
    }

    /// Returns the comment of a segment, if something begins or ends with it.
    pub fn of(&self, segment: &Segment) -> Option<String> {
        let is = |place: Option<Place>| place.map(Place::order) == Some(segment.place.order());
        if is(self.fin) {
            Some(self.of_fin.clone())
        } else if is(self.acked) {
            Some(self.of_ack.clone())
        } else if segment.flags.fin() && Some(segment.from) == self.closer {
            Some("the peer's FIN, sent again".into())
        } else if segment.flags.fin() {
            Some("FIN of the other side".into())
        } else {
            None
        }
    }
}

fn of_fin(row: &Row, holder: &str) -> String {
    let mut text = format!("the peer's FIN: CLOSE-WAIT of {holder} begins when it is acknowledged");
    if let Some(held) = row.judged.judgement.held {
        let (bound, until) = match row.judged.judgement.verdict {
            Verdict::Reset => ("", ", then reset"),
            _ => ("≥ ", ""),
        };
        text += &format!("; held {bound}{}{until}", duration(held));
    }
    let doubts: Vec<&str> = row.judged.judgement.doubts.iter().map(|doubt| doubt.name()).collect();
    if !doubts.is_empty() {
        text += &format!("; doubts {}", doubts.join(", "));
    }
    if let Some(cause) = row.cause {
        text += &format!("; cause {}", cause.name());
    }
    evidence(row).into_iter().fold(text, |text, sentence| format!("{text}; {sentence}"))
}
