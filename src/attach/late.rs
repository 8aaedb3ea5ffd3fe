//! Words of a client after the server's FIN. No answer to them can come, so they change nothing: what counts is
//! where the conversation stood at the FIN.

use super::facts::Facts;
use super::header::Header;
use crate::tcp::seq::Seq;

/// The server's FIN, and the facts at it, if the client has said more since.
#[derive(Clone, Debug, Default)]
pub struct Late {
    /// The number that acknowledges the FIN.
    fin: Option<Seq>,
    /// Without values and with them: who asks for which is not known yet.
    at_fin: Option<Box<[Facts; 2]>>,
}

impl Late {
    /// Takes note of a segment of the server.
    pub fn note_server(&mut self, header: &Header) {
        let end = header.seq + header.len;
        // Payload beyond a FIN shows that it was damaged or forged.
        if header.len > 0 && self.fin.is_some_and(|fin| end.covers(fin)) {
            *self = Late::default();
        }
        if header.flags.fin() {
            self.fin.get_or_insert(end + 1);
        }
    }

    /// Takes note of a segment of the client, before it is read: `facts` are those so far.
    pub fn note_client(&mut self, header: &Header, facts: impl Fn(bool) -> Facts) {
        let says = header.len > 0 && header.flags.ack() && !header.flags.rst();
        let is_late = says && self.fin.is_some_and(|fin| header.ack.covers(fin));
        if is_late && self.at_fin.is_none() {
            self.at_fin = Some(Box::new([false, true].map(facts)));
        }
    }

    /// Returns the facts at the FIN, with the request that came after it; without such, the facts of now.
    pub fn of(&self, now: Facts, literals: bool) -> Facts {
        let Some([digests, texts]) = self.at_fin.as_deref() else { return now };
        let then = if literals { texts } else { digests };
        let told = Facts { confirmed: now.confirmed, goodbye: now.goodbye, ..then.clone() };
        if now.last_statement_at == then.last_statement_at {
            return told;
        }
        Facts {
            last_command: now.last_command,
            last_statement: now.last_statement,
            last_statement_at: now.last_statement_at,
            tags: if now.tags.is_empty() { told.tags } else { now.tags },
            answered: now.answered,
            no_answer: now.no_answer,
            late: Some(then.answered == Some(false)),
            ..told
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attach::Identity;
    use crate::place::Time;
    use crate::tcp::segment::{End, Flags};

    const ACK: Flags = Flags(Flags::ACK);

    fn facts(asked: &str, at: i128, in_transaction: Option<bool>) -> Facts {
        let talk =
            Identity { key: "x", title: "X", transactions: true, logs_in: false, tags: false };
        Facts {
            last_statement: Some(asked.into()),
            last_statement_at: Some(Time::from_nanos(at)),
            answered: Some(in_transaction.is_some()),
            in_transaction,
            ..Facts::of(talk)
        }
    }

    fn header(from: End, [seq, ack, len]: [u32; 3], flags: Flags) -> Header {
        Header { at: Time::UNKNOWN, seq: Seq(seq), ack: Seq(ack), len, flags, from }
    }

    #[test]
    fn what_comes_after_the_fin_changes_nothing() {
        let begun = |_| facts("BEGIN", 1, Some(true));
        let of = |late: &Late| {
            let told = late.of(facts("COMMIT", 9, None), false);
            (told.in_transaction, told.late, told.last_statement.unwrap().into_string())
        };
        let [unknown, open] = [(None, None), (Some(true), Some(false))];
        let [unknown, open] = [unknown, open].map(|(open, owed)| (open, owed, "COMMIT".to_owned()));
        let mut late = Late::default();
        late.note_client(&header(End::Lower, [10, 50, 5], ACK), begun);
        late.note_server(&header(End::Upper, [50, 15, 0], Flags(Flags::FIN | Flags::ACK)));
        // It had not received the FIN.
        late.note_client(&header(End::Lower, [15, 50, 5], ACK), begun);
        assert_eq!(of(&late), unknown);
        late.note_client(&header(End::Lower, [20, 51, 5], ACK), begun);
        assert_eq!(of(&late), open);
        let left = Facts { goodbye: Some("COM_QUIT"), ..facts("BEGIN", 1, None) };
        let left = late.of(left, false);
        assert_eq!((left.goodbye, left.late), (Some("COM_QUIT"), None));
        late.note_server(&header(End::Upper, [50, 25, 9], ACK));
        assert_eq!(of(&late), unknown, "it was no FIN of its");
    }
}
