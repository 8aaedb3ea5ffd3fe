//! Packets that are quoted above the text that they are taken from: each is read once, where it stands among the others.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use super::folded::time_of;
use super::lines::printed;

/// The numbers of the lines in the beginning of a text that are said again below, if the first packet behind them came before
/// them: the text goes back there to tell it all. A quotation is less than half of that.
pub fn quoted(head: &[u8]) -> BTreeSet<u64> {
    let lines: Vec<String> =
        head.split(|b| *b == b'\n').map(|line| printed(line).trim().to_owned()).collect();
    let mut last: HashMap<&str, usize> = HashMap::new();
    last.extend(lines.iter().enumerate().map(|(at, line)| (packet(line), at)));
    let (mut above, mut latest) = (BTreeSet::new(), None);
    let all = lines.iter().filter(|line| !line.is_empty()).count();
    for (at, line) in lines.iter().enumerate() {
        let is_again = last.get(packet(line)).is_some_and(|last| *last > at);
        let time = time_of(line).and_then(|(_, stamp)| stamp.nanos());
        match time {
            Some(time) if is_again => latest = Some(time),
            Some(time) if latest.is_some_and(|latest| time < latest) && above.len() * 3 <= all => {
                return above;
            }
            Some(_) => break,
            // The second line of a packet goes with its first.
            None if latest.is_none() || !is_again || line.is_empty() => continue,
            None => {}
        }
        above.insert(at as u64 + 1);
    }
    BTreeSet::new()
}

/// A line from its time on: others may stand before it.
fn packet(line: &str) -> &str {
    time_of(line).map_or(line, |(at, _)| &line[at..])
}

/// A text without some of its lines.
pub fn without<'a>(text: &'a [u8], numbers: &BTreeSet<u64>) -> Cow<'a, [u8]> {
    if numbers.is_empty() {
        return text.into();
    }
    let lines = (1..).zip(text.split_inclusive(|b| *b == b'\n'));
    let left = lines.filter(|(number, _)| !numbers.contains(number)).map(|(_, line)| line);
    left.collect::<Vec<_>>().concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_above_the_whole_is_a_quotation() {
        let [one, two, three] =
            ["22:13:20.0001 IP a > b", "22:13:50.0001 IP b > a", "22:13:50.0002 IP a > b"];
        let lines = |text: &str| quoted(text.as_bytes()).into_iter().collect::<Vec<_>>();
        let whole = format!("{one}\n{two}\n{three}\n");
        assert_eq!(lines(&format!("This one:\n{two}\n\nof these:\n{whole}")), [2]);
        assert_eq!(lines(&format!("See: {two}\n{whole}")), [1]);
        let below = |line: &str| format!("{line}\n    x{line}\n");
        let each: String = [one, two, three].map(below).concat();
        assert_eq!(lines(&format!("{}{each}", below(two))), [1, 2]);
        // Below it, nothing is told again; what came first may be told twice, and so may the whole.
        for other in [
            format!("{whole}{three}\n"),
            format!("{three}\n{one}\n{two}\n"),
            format!("{one}\n{whole}"),
            format!("{whole}{whole}"),
        ] {
            assert!(lines(&other).is_empty(), "{other}");
        }
        let without = without(b"a\nb\nc", &BTreeSet::from([2]));
        assert_eq!(&*without, b"a\nc");
    }
}
