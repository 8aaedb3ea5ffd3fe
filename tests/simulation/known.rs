//! Known weaknesses, left out of the checks until they are gone. Each is named and as narrow as can be:
//! set it to `true` to see the runs that show it.

use closewait::tcp::segment::Flags;

use crate::socket::Packet;
use crate::world::Passed;

/// A capture that begins after local's FIN takes the octet of a keep-alive for new payload.
pub const KEEP_ALIVE_OCTET_AFTER_FIN: bool = true;

/// A capture of nothing but payload can show neither a bare FIN nor a RST, and has no doubt for it.
pub const PAYLOAD_ONLY_IS_CHECKED: bool = true;

/// A RST that overtakes its sender's last payload is forgotten when that payload comes.
pub const RST_OVERTAKES: bool = true;

/// A RST or FIN of the old connection that comes after the SYN/ACK of the new one is taken for the new
/// one's.
const LATE_END_IS_CHECKED: bool = true;

/// So is a SYN/ACK of the old connection that comes after the SYN of the new one.
const LATE_SYN_ACK_IS_CHECKED: bool = true;

/// A SYN of the old connection that comes after the SYN of the new one: the new one's SYN again, or
/// what follows, then begins a third flow.
const LATE_SYN_IS_CHECKED: bool = true;

/// A RST below what its sender had sent, after the SYN of the new connection, is taken for the new one's.
const LATE_ODD_RST_IS_CHECKED: bool = true;

/// Where the capture begins with a SYN/ACK, the SYN of the next connection is taken for one that crosses.
pub const SYN_AFTER_FIRST_SYN_ACK_IS_CHECKED: bool = true;

/// Did a connection's packet come so late that it meets the next connection where we know no better?
pub fn meets_next_connection(passed: &[Passed]) -> bool {
    let late = |(i, later): (usize, &Passed)| {
        let mut newer =
            passed[..i].iter().map(|p| &p.packet).filter(|p| p.conn > later.packet.conn);
        newer.any(|newer| confuses(&later.packet, newer))
            || !LATE_ODD_RST_IS_CHECKED && is_odd_rst(&later.packet, &passed[..i])
    };
    passed.iter().enumerate().any(late)
}

fn confuses(late: &Packet, newer: &Packet) -> bool {
    let after_syn = newer.has(Flags::SYN);
    let after_syn_ack = after_syn && newer.has(Flags::ACK);
    let syn_ack = late.has(Flags::SYN) && late.has(Flags::ACK);
    let syn = late.has(Flags::SYN) && !late.has(Flags::ACK);
    !LATE_END_IS_CHECKED && late.has(Flags::RST | Flags::FIN) && after_syn_ack
        || !LATE_SYN_ACK_IS_CHECKED && syn_ack && after_syn
        || !LATE_SYN_IS_CHECKED && syn && after_syn
}

fn is_odd_rst(rst: &Packet, before: &[Passed]) -> bool {
    let beyond = |p: &Packet| p.from == rst.from && p.conn == rst.conn && p.end().is_after(rst.seq);
    let newer = |p: &Packet| p.conn > rst.conn && p.has(Flags::SYN);
    let any = |test: &dyn Fn(&Packet) -> bool| before.iter().any(|p| test(&p.packet));
    rst.has(Flags::RST) && any(&beyond) && any(&newer)
}
