//! Methods by their numbers, and what is in them.

/// Methods in order, by class and number: their names, and whether they are of the client, and the server answers
/// with one of its own.
const METHODS: &[(u16, u16, &str, bool)] = &[
    (10, 10, "connection.start", false),
    (10, 11, "connection.start-ok", true),
    (10, 20, "connection.secure", false),
    (10, 21, "connection.secure-ok", false),
    (10, 30, "connection.tune", false),
    (10, 31, "connection.tune-ok", false),
    (10, 40, "connection.open", true),
    (10, 41, "connection.open-ok", false),
    (10, 50, "connection.close", true),
    (10, 51, "connection.close-ok", false),
    (10, 60, "connection.blocked", false),
    (10, 61, "connection.unblocked", false),
    (10, 70, "connection.update-secret", true),
    (10, 71, "connection.update-secret-ok", false),
    (20, 10, "channel.open", true),
    (20, 11, "channel.open-ok", false),
    (20, 20, "channel.flow", true),
    (20, 21, "channel.flow-ok", false),
    (20, 40, "channel.close", true),
    (20, 41, "channel.close-ok", false),
    (40, 10, "exchange.declare", true),
    (40, 11, "exchange.declare-ok", false),
    (40, 20, "exchange.delete", true),
    (40, 21, "exchange.delete-ok", false),
    (40, 30, "exchange.bind", true),
    (40, 31, "exchange.bind-ok", false),
    (40, 40, "exchange.unbind", true),
    (40, 51, "exchange.unbind-ok", false),
    (50, 10, "queue.declare", true),
    (50, 11, "queue.declare-ok", false),
    (50, 20, "queue.bind", true),
    (50, 21, "queue.bind-ok", false),
    (50, 30, "queue.purge", true),
    (50, 31, "queue.purge-ok", false),
    (50, 40, "queue.delete", true),
    (50, 41, "queue.delete-ok", false),
    (50, 50, "queue.unbind", true),
    (50, 51, "queue.unbind-ok", false),
    (60, 10, "basic.qos", true),
    (60, 11, "basic.qos-ok", false),
    (60, 20, "basic.consume", true),
    (60, 21, "basic.consume-ok", false),
    (60, 30, "basic.cancel", true),
    (60, 31, "basic.cancel-ok", false),
    (60, 40, "basic.publish", false),
    (60, 50, "basic.return", false),
    (60, 60, "basic.deliver", false),
    (60, 70, "basic.get", true),
    (60, 71, "basic.get-ok", false),
    (60, 72, "basic.get-empty", false),
    (60, 80, "basic.ack", false),
    (60, 90, "basic.reject", false),
    (60, 100, "basic.recover-async", false),
    (60, 110, "basic.recover", true),
    (60, 111, "basic.recover-ok", false),
    (60, 120, "basic.nack", false),
    (85, 10, "confirm.select", true),
    (85, 11, "confirm.select-ok", false),
    (90, 10, "tx.select", true),
    (90, 11, "tx.select-ok", false),
    (90, 20, "tx.commit", true),
    (90, 21, "tx.commit-ok", false),
    (90, 30, "tx.rollback", true),
    (90, 31, "tx.rollback-ok", false),
];

/// A method, as far as it was seen.
#[derive(Clone, Copy, Debug)]
pub struct Method<'a> {
    pub name: &'static str,
    pub arguments: Arguments<'a>,
    asks: bool,
}

impl<'a> Method<'a> {
    pub fn read(body: &'a [u8]) -> Option<Method<'a>> {
        let mut arguments = Arguments(body);
        let numbers = (arguments.short()?, arguments.short()?);
        let known = METHODS.binary_search_by_key(&numbers, |(class, method, ..)| (*class, *method));
        let (_, _, name, asks) = *METHODS.get(known.ok()?)?;
        Some(Method { name, arguments, asks })
    }

    /// Returns whether a body that cannot be read is too short for any method: it may have been any.
    pub fn is_cut(body: &[u8]) -> bool {
        body.len() < 4
    }

    /// Returns whether the server owes an answer to it, unless it says that it wants none.
    pub fn asks(&self) -> bool {
        if !self.asks {
            return false;
        }
        let mut arguments = self.arguments;
        let declines = match self.name {
            "exchange.declare" => arguments.bits_after(2, 2).map(|bits| bits & 16),
            "exchange.delete" => arguments.bits_after(2, 1).map(|bits| bits & 2),
            "exchange.bind" | "exchange.unbind" => arguments.bits_after(2, 3),
            "queue.declare" => arguments.bits_after(2, 1).map(|bits| bits & 16),
            "queue.bind" => arguments.bits_after(2, 3),
            "queue.purge" => arguments.bits_after(2, 1),
            "queue.delete" => arguments.bits_after(2, 1).map(|bits| bits & 4),
            "basic.consume" => arguments.bits_after(2, 2).map(|bits| bits & 8),
            "basic.cancel" => arguments.bits_after(0, 1),
            "confirm.select" => arguments.bits_after(0, 0),
            _ => None,
        };
        declines.unwrap_or(0) == 0
    }
}

/// Arguments of a method, one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Arguments<'a>(pub &'a [u8]);

impl<'a> Arguments<'a> {
    fn take(&mut self, octets: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(octets)?;
        self.0 = rest;
        Some(taken)
    }

    fn chunk<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub fn octet(&mut self) -> Option<u8> {
        self.chunk().map(|[octet]| octet)
    }

    pub fn short(&mut self) -> Option<u16> {
        self.chunk().map(u16::from_be_bytes)
    }

    pub fn long(&mut self) -> Option<u32> {
        self.chunk().map(u32::from_be_bytes)
    }

    pub fn longlong(&mut self) -> Option<u64> {
        self.chunk().map(u64::from_be_bytes)
    }

    pub fn text(&mut self) -> Option<&'a [u8]> {
        let len = self.octet()?;
        self.take(len.into())
    }

    pub fn long_text(&mut self) -> Option<&'a [u8]> {
        let len = self.long()?;
        self.take(len as usize)
    }

    /// Returns the octet of flags that comes after some octets and some texts.
    pub fn bits_after(&mut self, octets: usize, texts: usize) -> Option<u8> {
        self.take(octets)?;
        (0..texts).try_for_each(|_| self.text().map(drop))?;
        self.octet()
    }

    /// Takes a table; calls `entry` with each name and text in it, as far as it was seen.
    pub fn table(&mut self, mut entry: impl FnMut(&'a [u8], &'a [u8])) -> Option<()> {
        let len = self.long()? as usize;
        let is_whole = len <= self.0.len();
        let mut table = Arguments(self.0.get(..len).unwrap_or(self.0));
        self.0 = self.0.get(len..).unwrap_or_default();
        while !table.0.is_empty() {
            let name = table.text()?;
            let kind = table.octet()?;
            match kind {
                b'S' | b'x' => entry(name, table.long_text()?),
                b'F' | b'A' => drop(table.long_text()?),
                b't' | b'b' | b'B' => drop(table.take(1)?),
                b's' | b'u' | b'U' => drop(table.take(2)?),
                b'I' | b'i' | b'f' => drop(table.take(4)?),
                b'D' => drop(table.take(5)?),
                b'l' | b'L' | b'T' | b'd' => drop(table.take(8)?),
                b'V' => {}
                _ => return None,
            }
        }
        is_whole.then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_in_order_and_what_asks_is_answered_by_its_name() {
        assert!(METHODS.is_sorted_by_key(|(class, method, ..)| (*class, *method)));
        for (_, _, name, asks) in METHODS {
            let answer = format!("{name}-ok");
            let is_answered = METHODS.iter().any(|(_, _, other, _)| *other == answer);
            assert!(is_answered || !asks || *name == "connection.start-ok", "{name}");
        }
    }
}
