//! Link layers beside Ethernet and the cooked ones: what stands before an IP packet.

/// A link layer by its name in scenarios.
pub struct Framing {
    pub name: &'static str,
    pub link_type: u16,
    /// Of one packet: is it IPv4, did it leave the host, and how long is it?
    pub header: fn(v4: bool, outgoing: bool, len: usize) -> Vec<u8>,
    /// The header tells the direction.
    pub directed: bool,
    /// The tshark of Debian 12 reads it.
    pub tshark: bool,
}

impl PartialEq for Framing {
    fn eq(&self, other: &Framing) -> bool {
        self.name == other.name
    }
}

impl Eq for Framing {}

impl std::fmt::Debug for Framing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// All of them.
pub const FRAMINGS: &[Framing] = &[
    plain("null", 0, |v4, _, _| vec![if v4 { 2 } else { 30 }, 0, 0, 0]),
    plain("null-big-endian", 0, |v4, _, _| vec![0, 0, 0, if v4 { 2 } else { 24 }]),
    plain("loop", 108, |v4, _, _| vec![0, 0, 0, if v4 { 2 } else { 24 }]),
    plain("ppp", 9, |v4, _, _| [&[0xff, 3, 0][..], &[ppp(v4)]].concat()),
    plain("ppp-hdlc", 50, |v4, _, _| [&[0xff, 3, 0][..], &[ppp(v4)]].concat()),
    plain("ppp-ether", 51, |v4, _, len| {
        [&[0x11, 0, 0, 7][..], &octets(len + 2), &[0, ppp(v4)]].concat()
    }),
    unknown_to_tshark("ppp-pppd", 166, true, |v4, out, _| vec![u8::from(out), 3, 0, ppp(v4)]),
    directed("ppp-with-dir", 204, |v4, out, _| vec![u8::from(out), 0xff, 3, 0, ppp(v4)]),
    plain("c-hdlc", 104, |v4, _, _| [&[0x0f, 0][..], &kind(v4)].concat()),
    unknown_to_tshark("c-hdlc-with-dir", 205, true, |v4, out, _| {
        [&[u8::from(out), 0x0f, 0][..], &kind(v4)].concat()
    }),
    plain("frelay", 107, |v4, _, _| vec![0x18, 0x41, 3, if v4 { 0xcc } else { 0x8e }]),
    unknown_to_tshark("frelay-with-dir", 206, true, |v4, out, _| {
        vec![u8::from(out), 0x18, 0x41, 3, if v4 { 0xcc } else { 0x8e }]
    }),
    unknown_to_tshark("mfr", 182, false, |v4, _, _| {
        vec![0xc0, 1, 0x18, 0x41, 3, if v4 { 0xcc } else { 0x8e }]
    }),
    unknown_to_tshark("slip", 8, true, |_, out, _| [&[u8::from(out)][..], &[0; 15]].concat()),
    plain("fddi", 10, |v4, _, _| [&[0x50; 13][..], &llc(v4)].concat()),
    plain("token-ring", 6, |v4, _, _| {
        [&[0x10, 0x40, 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1][..], &llc(v4)].concat()
    }),
    plain("token-ring-routed", 6, |v4, _, _| {
        let header = [0x10, 0x40, 2, 0, 0, 0, 0, 2, 0x82, 0, 0, 0, 0, 1, 6, 0x10, 0, 0x11, 0, 0x20];
        [&header[..], &llc(v4)].concat()
    }),
    plain("isl", 1, |v4, _, len| {
        let addresses = [1, 0, 0x0c, 0, 0, 0, 0, 0x10, 0x7b, 1, 2, 3];
        let tag = [0xaa, 0xaa, 3, 0, 0, 0x0c, 0, 0x14, 0, 0, 0, 0];
        [&addresses[..], &octets(len + 26), &tag, &ethernet(v4, &[])].concat()
    }),
    plain("ip-over-fc", 122, |v4, _, _| [&[0x10; 16][..], &llc(v4)].concat()),
    plain("atm-rfc1483", 100, |v4, _, _| llc(v4)),
    plain("atm-rfc1483-bridged", 100, |v4, _, _| {
        [&[0xaa, 0xaa, 3, 0, 0x80, 0xc2, 0, 7, 0, 0][..], &ethernet(v4, &[])].concat()
    }),
    plain("atm-clip", 106, |_, _, _| vec![]),
    plain("sunatm", 123, |v4, _, _| [&[2, 0, 0, 40][..], &llc(v4)].concat()),
    plain("arcnet-linux", 129, |v4, _, _| vec![1, 2, 0, 0, arcnet(v4), 0, 0, 0]),
    plain("arcnet-bsd", 7, |v4, _, _| vec![1, 2, arcnet(v4), 0, 0, 0]),
    plain("ieee1394", 138, |v4, _, _| [&[1; 16][..], &kind(v4)].concat()),
    unknown_to_tshark("mpls", 219, false, |_, _, _| vec![0, 1, 1, 64]),
    plain("ipoib", 242, |v4, _, _| [&[0; 40][..], &kind(v4), &[0, 0]].concat()),
    plain("enc", 109, |v4, _, _| vec![if v4 { 2 } else { 24 }, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]),
    plain("epon", 259, |v4, _, _| {
        [&[0x55, 0x55, 0xd5, 0x55, 0x55, 0, 1, 0][..], &ethernet(v4, &[])].concat()
    }),
    unknown_to_tshark("mpacket", 274, false, |v4, _, _| {
        [&[0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0xd5][..], &ethernet(v4, &[])].concat()
    }),
    unknown_to_tshark("netanalyzer", 240, false, |v4, _, _| {
        [&[0, 0x10, 0, 0][..], &ethernet(v4, &[])].concat()
    }),
    unknown_to_tshark("netanalyzer-transparent", 241, false, |v4, _, _| {
        let preamble = [0x08, 0x10, 0, 0, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0xd5];
        [&preamble[..], &ethernet(v4, &[])].concat()
    }),
    plain("docsis", 143, |v4, _, len| {
        [&[0, 0][..], &octets(len + 14), &[0, 0], &ethernet(v4, &[])].concat()
    }),
    unknown_to_tshark("dsa-brcm", 281, false, |v4, _, _| ethernet(v4, &[0, 0, 0, 1])),
    unknown_to_tshark("dsa-brcm-prepend", 282, false, |v4, _, _| {
        [&[0, 0, 0, 1][..], &ethernet(v4, &[])].concat()
    }),
    unknown_to_tshark("dsa", 284, false, |v4, _, _| ethernet(v4, &[0xc0, 8, 0, 1])),
    unknown_to_tshark("edsa", 285, false, |v4, _, _| {
        ethernet(v4, &[0xda, 0xda, 0, 0, 0xc0, 8, 0, 1])
    }),
    plain("802.1ah", 1, |v4, _, _| {
        let service = [0x88, 0xe7, 0, 0, 0, 9];
        [&ethernet(v4, &service)[..18], &ethernet(v4, &[])].concat()
    }),
    plain("vn-tag", 1, |v4, _, _| ethernet(v4, &[0x89, 0x26, 0, 1, 0, 2])),
    plain("hsr", 1, |v4, _, _| ethernet(v4, &[0x89, 0x2f, 0x10, 60, 0, 1])),
    plain("macsec-integrity", 1, |v4, _, _| ethernet(v4, &[0x88, 0xe5, 0, 0, 0, 0, 0, 1])),
    plain("llc-snap", 1, |v4, _, _| [&ethernet(v4, &[0, 60])[..14], &llc(v4)].concat()),
    plain("802.11", 105, |v4, _, _| wireless(v4, false)),
    plain("802.11-qos", 105, |v4, _, _| wireless(v4, true)),
    plain("802.11-mesh", 105, |v4, _, _| {
        // Between two nodes, with a control of the mesh.
        let mut frame = vec![0x88, 0x03, 0, 0];
        frame.extend([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 5, 2, 0, 0, 0, 0, 3, 0x10, 0]);
        frame.extend([2, 0, 0, 0, 0, 4, 0, 1, 0, 31, 1, 0, 0, 0]);
        [frame, llc(v4)].concat()
    }),
    plain("radiotap", 127, |v4, _, _| {
        // Time, flags, rate.
        let present = [7, 0, 0, 0];
        let fields = [[0; 8].as_slice(), &[0, 2]].concat();
        [&[0, 0, 18, 0][..], &present, &fields, &wireless(v4, true)].concat()
    }),
    plain("radiotap-padded", 127, |v4, _, _| {
        // Flags alone: the header is padded to four octets.
        let radiotap = [0, 0, 9, 0, 2, 0, 0, 0, 0x20];
        let frame = wireless(v4, true);
        [&radiotap, &frame[..26], &[0, 0], &frame[26..]].concat()
    }),
    plain("prism", 119, |v4, _, _| {
        let mut header = [0x44, 0, 0, 0, 144, 0, 0, 0].to_vec();
        header.resize(144, 0);
        [header, wireless(v4, false)].concat()
    }),
    plain("avs", 163, |v4, _, _| {
        let mut header = [0x80, 0x21, 0x10, 1, 0, 0, 0, 64].to_vec();
        header.resize(64, 0);
        [header, wireless(v4, false)].concat()
    }),
    plain("ppi", 192, |v4, _, _| [&[0, 0, 8, 0, 105, 0, 0, 0][..], &wireless(v4, false)].concat()),
    directed("pktap", 258, pktap),
    directed("pktap-as-user2", 149, pktap),
    plain("pflog", 117, |v4, out, _| {
        let mut header = vec![61, if v4 { 2 } else { 24 }, 0, 0];
        header.resize(60, 0);
        header.extend([if out { 2 } else { 1 }, 0, 0, 0]);
        header
    }),
    plain("ipnet", 226, |v4, _, len| {
        let mut header = vec![1, if v4 { 2 } else { 26 }, 0, 2, 0, 0];
        header.extend(octets(len));
        header.resize(24, 0);
        header
    }),
    plain("erf-ethernet", 197, |v4, _, len| {
        [erf(2, len + 16), vec![0, 0], ethernet(v4, &[])].concat()
    }),
    plain("erf-ip", 197, |v4, _, len| erf(if v4 { 22 } else { 23 }, len)),
    plain("juniper-ether", 178, |v4, _, _| {
        [&b"MGC\x80\0\x02\0\0"[..], &ethernet(v4, &[])].concat()
    }),
    plain("juniper-ppp", 179, |v4, _, _| [&b"MGC\x00"[..], &[0xff, 3, 0, ppp(v4)]].concat()),
    plain("juniper-chdlc", 181, |v4, _, _| [&b"MGC\x00"[..], &[0x0f, 0], &kind(v4)].concat()),
    plain("juniper-without-link", 178, |v4, _, _| {
        [&b"MGC\x02"[..], &[if v4 { 2 } else { 6 }, 0, 0, 0]].concat()
    }),
];

const fn plain(
    name: &'static str,
    link_type: u16,
    header: fn(bool, bool, usize) -> Vec<u8>,
) -> Framing {
    Framing { name, link_type, header, directed: false, tshark: true }
}

const fn directed(
    name: &'static str,
    link_type: u16,
    header: fn(bool, bool, usize) -> Vec<u8>,
) -> Framing {
    Framing { name, link_type, header, directed: true, tshark: true }
}

const fn unknown_to_tshark(
    name: &'static str,
    link_type: u16,
    directed: bool,
    header: fn(bool, bool, usize) -> Vec<u8>,
) -> Framing {
    Framing { name, link_type, header, directed, tshark: false }
}

fn kind(v4: bool) -> [u8; 2] {
    if v4 { [0x08, 0x00] } else { [0x86, 0xdd] }
}

fn ppp(v4: bool) -> u8 {
    if v4 { 0x21 } else { 0x57 }
}

fn arcnet(v4: bool) -> u8 {
    if v4 { 0xd4 } else { 0xc4 }
}

fn llc(v4: bool) -> Vec<u8> {
    [&[0xaa, 0xaa, 3, 0, 0, 0][..], &kind(v4)].concat()
}

/// Addresses, a tag, the EtherType.
fn ethernet(v4: bool, tag: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1][..], tag, &kind(v4)].concat()
}

/// A data frame from a station to its access point.
fn wireless(v4: bool, qos: bool) -> Vec<u8> {
    let mut frame = vec![if qos { 0x88 } else { 0x08 }, 0x01, 0, 0];
    frame.extend([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 3, 0x10, 0]);
    if qos {
        frame.extend([0, 0]);
    }
    frame.extend(llc(v4));
    frame
}

/// What macOS puts before an Ethernet frame.
fn pktap(v4: bool, outgoing: bool, _: usize) -> Vec<u8> {
    let number = |n: u32| n.to_le_bytes().to_vec();
    let name = |text: &str, len: usize| {
        let mut name = text.as_bytes().to_vec();
        name.resize(len, 0);
        name
    };
    let process = [number(812), name("orders-api", 20)].concat();
    let header = [
        [number(108), number(1), number(1), name("en0", 24)].concat(),
        [number(if outgoing { 2 } else { 1 }), number(2), number(14), number(0)].concat(),
        process.clone(),
        number(0),
        vec![6, 0, 0, 0],
        process,
        ethernet(v4, &[]),
    ];
    header.concat()
}

/// A record of so many octets.
fn erf(kind: u8, len: usize) -> Vec<u8> {
    let (record, wire) = (octets(len + 16), octets(len));
    [&[0; 8][..], &[kind, 4], &record, &[0, 0], &wire].concat()
}

fn octets(len: usize) -> [u8; 2] {
    (len as u16).to_be_bytes()
}
