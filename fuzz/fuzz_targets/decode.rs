//! Any bytes as a frame of any link type: two octets of link type, four of length on the wire, both
//! little-endian, then the frame.

#![no_main]

use closewait::capture::{Frame, LinkType};
use closewait::decode::Decoder;
use closewait::place::{Place, Time};
use closewait::tcp::segment::{Checksum, Segment};
use closewait_fuzz::assert_printable;
use libfuzzer_sys::fuzz_target;

/// The longest IP packet without a jumbo option.
const MAX_IP: u32 = 65_535 + 40;

fuzz_target!(|bytes: &[u8]| {
    let [l0, l1, o0, o1, o2, o3, data @ ..] = bytes else { return };
    let frame = Frame {
        place: Place::new(Time::from_nanos(1), 0, 1, 6),
        interface: 0,
        link: LinkType(u16::from_le_bytes([*l0, *l1])),
        original_len: u32::from_le_bytes([*o0, *o1, *o2, *o3]),
        direction: None,
        process: None,
        record: 0,
        data,
    };
    let decoder = Decoder::default();
    let short = decoder.decode_short(&frame);
    let (segment, payload) = match decoder.decode_layers(&frame) {
        Ok(decoded) => decoded,
        Err(skipped) => {
            assert!(short.is_none(), "the short way takes what is wrong");
            assert_printable(&skipped.to_string(), &[]);
            return;
        }
    };
    // The short way says the same.
    if let Some((short, its_payload)) = short {
        assert_eq!((essence(short), its_payload), (essence(segment), payload));
    }
    let wire_len = frame.original_len.max(data.len() as u32);
    assert!(payload.len() <= segment.len as usize, "more payload than the header says");
    assert!(segment.len <= wire_len.max(MAX_IP), "more payload than there can be");
    if payload.is_empty() {
        return;
    }
    let (inside, whole) = (payload.as_ptr_range(), data.as_ptr_range());
    assert!(whole.start <= inside.start && inside.end <= whole.end, "payload outside the frame");
    // A snap length that cuts the payload off takes nothing else away.
    let header = inside.start.addr() - whole.start.addr();
    let cut = Frame { data: &data[..header], original_len: wire_len, ..frame };
    let cut = decoder.decode(&cut).expect("its headers are whole");
    // But what the checksum would tell. That it is a first fragment, the IP header does.
    let told = match segment.is_first_fragment() {
        true => Checksum::OfMore,
        false => Checksum::Unknown,
    };
    let extras = segment.extras.with_checksum(told);
    assert_eq!(essence(cut.0), essence(Segment { extras, ..segment }));
    assert_eq!(cut.1, b"");
});

fn essence(segment: Segment) -> String {
    format!("{segment:?}")
}
