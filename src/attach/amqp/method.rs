//! Methods by their numbers, and what is in them.

/// Names of methods, by class and number.
const NAMES: &[(u16, u16, &str)] = &[
    (10, 10, "connection.start"),
    (10, 11, "connection.start-ok"),
    (10, 20, "connection.secure"),
    (10, 21, "connection.secure-ok"),
    (10, 30, "connection.tune"),
    (10, 31, "connection.tune-ok"),
    (10, 40, "connection.open"),
    (10, 41, "connection.open-ok"),
    (10, 50, "connection.close"),
    (10, 51, "connection.close-ok"),
    (10, 60, "connection.blocked"),
    (10, 61, "connection.unblocked"),
    (10, 70, "connection.update-secret"),
    (10, 71, "connection.update-secret-ok"),
    (20, 10, "channel.open"),
    (20, 11, "channel.open-ok"),
    (20, 20, "channel.flow"),
    (20, 21, "channel.flow-ok"),
    (20, 40, "channel.close"),
    (20, 41, "channel.close-ok"),
    (40, 10, "exchange.declare"),
    (40, 11, "exchange.declare-ok"),
    (40, 20, "exchange.delete"),
    (40, 21, "exchange.delete-ok"),
    (40, 30, "exchange.bind"),
    (40, 31, "exchange.bind-ok"),
    (40, 40, "exchange.unbind"),
    (40, 51, "exchange.unbind-ok"),
    (50, 10, "queue.declare"),
    (50, 11, "queue.declare-ok"),
    (50, 20, "queue.bind"),
    (50, 21, "queue.bind-ok"),
    (50, 30, "queue.purge"),
    (50, 31, "queue.purge-ok"),
    (50, 40, "queue.delete"),
    (50, 41, "queue.delete-ok"),
    (50, 50, "queue.unbind"),
    (50, 51, "queue.unbind-ok"),
    (60, 10, "basic.qos"),
    (60, 11, "basic.qos-ok"),
    (60, 20, "basic.consume"),
    (60, 21, "basic.consume-ok"),
    (60, 30, "basic.cancel"),
    (60, 31, "basic.cancel-ok"),
    (60, 40, "basic.publish"),
    (60, 50, "basic.return"),
    (60, 60, "basic.deliver"),
    (60, 70, "basic.get"),
    (60, 71, "basic.get-ok"),
    (60, 72, "basic.get-empty"),
    (60, 80, "basic.ack"),
    (60, 90, "basic.reject"),
    (60, 100, "basic.recover-async"),
    (60, 110, "basic.recover"),
    (60, 111, "basic.recover-ok"),
    (60, 120, "basic.nack"),
    (85, 10, "confirm.select"),
    (85, 11, "confirm.select-ok"),
    (90, 10, "tx.select"),
    (90, 11, "tx.select-ok"),
    (90, 20, "tx.commit"),
    (90, 21, "tx.commit-ok"),
    (90, 30, "tx.rollback"),
    (90, 31, "tx.rollback-ok"),
];

/// Methods of the client that the server answers with one of its own.
const ASKING: &[&str] = &[
    "connection.start-ok",
    "connection.open",
    "connection.close",
    "connection.update-secret",
    "channel.open",
    "channel.flow",
    "channel.close",
    "exchange.declare",
    "exchange.delete",
    "exchange.bind",
    "exchange.unbind",
    "queue.declare",
    "queue.bind",
    "queue.purge",
    "queue.delete",
    "queue.unbind",
    "basic.qos",
    "basic.consume",
    "basic.cancel",
    "basic.get",
    "basic.recover",
    "confirm.select",
    "tx.select",
    "tx.commit",
    "tx.rollback",
];

/// A method, as far as it was seen.
#[derive(Clone, Copy, Debug)]
pub struct Method<'a> {
    pub name: &'static str,
    pub arguments: Arguments<'a>,
}

impl<'a> Method<'a> {
    pub fn read(body: &'a [u8]) -> Option<Method<'a>> {
        let mut arguments = Arguments(body);
        let numbers = (arguments.short()?, arguments.short()?);
        let known = NAMES.iter().find(|(class, method, _)| (*class, *method) == numbers);
        known.map(|(_, _, name)| Method { name, arguments })
    }

    /// Returns whether the server owes an answer to it, unless it says that it wants none.
    pub fn asks(&self) -> bool {
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
        ASKING.contains(&self.name) && declines.unwrap_or(0) == 0
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
        Some(())
    }
}
