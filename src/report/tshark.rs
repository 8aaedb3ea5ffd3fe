//! Commands that open a connection in Wireshark's terms.

use super::shell;
use crate::names::host;
use crate::place::Place;
use crate::summary::Totals;
use crate::tcp::segment::Endpoint;

/// The name by which Wireshark opens a file, where it can and the name can be typed.
pub fn name(totals: &Totals, file: usize) -> Option<&str> {
    let name = totals.files.get(file).filter(|_| !totals.ours_alone.contains(&file));
    name.map(String::as_str).filter(|name| shell::can_be_typed(name))
}

/// Commands for the packets of a connection: a line for its first file, and for its last. None for files
/// that cannot be named to tshark.
pub fn lines(totals: &Totals, ends: [Endpoint; 2], first: Place, last: Place) -> Vec<String> {
    let is_same = first.file() == last.file();
    let (from, to) = (Some(first.frame()), Some(last.frame()));
    let mut parts = vec![(first.file(), from, to.filter(|_| is_same))];
    if !is_same {
        parts.push((last.file(), None, to));
    }
    let line = |(file, from, to): (usize, Option<u64>, Option<u64>)| {
        let name = name(totals, file)?;
        let filter = display_filter(ends, from, to);
        Some(format!("tshark -r {} -Y '{filter}'", shell::word(name)))
    };
    parts.into_iter().filter_map(line).collect()
}

/// Command that watches a connection on an interface from now on.
pub fn live(interface: &str, [a, b]: [Endpoint; 2]) -> String {
    let end = |end: Endpoint| format!("host {} and tcp port {}", host(end.ip), end.port);
    format!("tshark -i {} -f '{} and {}'", shell::word(interface), end(a), end(b))
}

/// Wireshark's display filter for these frames of a connection.
fn display_filter(ends: [Endpoint; 2], from: Option<u64>, to: Option<u64>) -> String {
    let ip = if ends[0].ip.is_ipv4() { "ip" } else { "ipv6" };
    let addresses = ends.map(|end| format!("{ip}.addr=={}", host(end.ip)));
    let ports = ends.map(|end| format!("tcp.port=={}", end.port));
    let mut parts = [addresses, ports].concat();
    parts.extend(from.map(|from| format!("frame.number>={from}")));
    parts.extend(to.map(|to| format!("frame.number<={to}")));
    parts.join(" && ")
}
