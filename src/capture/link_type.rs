//! Link types, by the registry that libpcap keeps of them.

use core::fmt;

/// A link-layer header type, by its number in files (LINKTYPE_…).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback: the address family in the host's byte order, then IP.
    pub const NULL: LinkType = LinkType(0);
    /// Ethernet, 10 Mb/s and up, without preamble and checksum.
    pub const ETHERNET: LinkType = LinkType(1);
    /// Token Ring (IEEE 802.5).
    pub const IEEE802_5: LinkType = LinkType(6);
    /// ARCNET, as BSD writes it.
    pub const ARCNET_BSD: LinkType = LinkType(7);
    /// SLIP, with the header of libpcap.
    pub const SLIP: LinkType = LinkType(8);
    /// PPP.
    pub const PPP: LinkType = LinkType(9);
    /// FDDI.
    pub const FDDI: LinkType = LinkType(10);
    /// PPP in HDLC-like framing (RFC 1662), or Cisco's.
    pub const PPP_HDLC: LinkType = LinkType(50);
    /// PPP over Ethernet, the session packets (RFC 2516).
    pub const PPP_ETHER: LinkType = LinkType(51);
    /// ATM with LLC/SNAP (RFC 1483).
    pub const ATM_RFC1483: LinkType = LinkType(100);
    /// Raw IP: the version is in its first four bits.
    pub const RAW: LinkType = LinkType(101);
    /// Cisco HDLC.
    pub const C_HDLC: LinkType = LinkType(104);
    /// IEEE 802.11 without a header before it.
    pub const IEEE802_11: LinkType = LinkType(105);
    /// IP over ATM (RFC 1577).
    pub const ATM_CLIP: LinkType = LinkType(106);
    /// Frame Relay.
    pub const FRELAY: LinkType = LinkType(107);
    /// OpenBSD loopback: the address family in network byte order.
    pub const LOOP: LinkType = LinkType(108);
    /// OpenBSD's encapsulated packets (enc0).
    pub const ENC: LinkType = LinkType(109);
    /// Linux cooked capture, first version: of `-i any`.
    pub const LINUX_SLL: LinkType = LinkType(113);
    /// OpenBSD's packet filter log.
    pub const PFLOG: LinkType = LinkType(117);
    /// IEEE 802.11 behind a Prism header.
    pub const IEEE802_11_PRISM: LinkType = LinkType(119);
    /// IP over Fibre Channel (RFC 2625).
    pub const IP_OVER_FC: LinkType = LinkType(122);
    /// ATM as SunATM writes it.
    pub const SUNATM: LinkType = LinkType(123);
    /// IEEE 802.11 behind a radiotap header.
    pub const IEEE802_11_RADIOTAP: LinkType = LinkType(127);
    /// ARCNET, as Linux writes it.
    pub const ARCNET_LINUX: LinkType = LinkType(129);
    /// IP over FireWire, as macOS writes it.
    pub const APPLE_IP_OVER_IEEE1394: LinkType = LinkType(138);
    /// DOCSIS, of cable modems.
    pub const DOCSIS: LinkType = LinkType(143);
    /// A number for private use that some exporters have Ethernet in.
    pub const USER2: LinkType = LinkType(149);
    /// IEEE 802.11 behind an AVS header.
    pub const IEEE802_11_AVS: LinkType = LinkType(163);
    /// PPP as pppd writes it: the direction before each packet.
    pub const PPP_PPPD: LinkType = LinkType(166);
    /// PPP over Ethernet behind a Juniper header.
    pub const JUNIPER_PPPOE: LinkType = LinkType(167);
    /// Ethernet behind a Juniper header.
    pub const JUNIPER_ETHER: LinkType = LinkType(178);
    /// PPP behind a Juniper header.
    pub const JUNIPER_PPP: LinkType = LinkType(179);
    /// Frame Relay behind a Juniper header.
    pub const JUNIPER_FRELAY: LinkType = LinkType(180);
    /// Cisco HDLC behind a Juniper header.
    pub const JUNIPER_CHDLC: LinkType = LinkType(181);
    /// Multi-link Frame Relay (FRF.16).
    pub const MFR: LinkType = LinkType(182);
    /// Per-Packet Information: a header that says which link type follows.
    pub const PPI: LinkType = LinkType(192);
    /// Records of Endace's capture cards.
    pub const ERF: LinkType = LinkType(197);
    /// PPP, the direction before each packet.
    pub const PPP_WITH_DIR: LinkType = LinkType(204);
    /// Cisco HDLC, the direction before each packet.
    pub const C_HDLC_WITH_DIR: LinkType = LinkType(205);
    /// Frame Relay, the direction before each packet.
    pub const FRELAY_WITH_DIR: LinkType = LinkType(206);
    /// MPLS, the label stack first.
    pub const MPLS: LinkType = LinkType(219);
    /// Solaris's IPNET: zones before IP.
    pub const IPNET: LinkType = LinkType(226);
    /// Raw IPv4.
    pub const IPV4: LinkType = LinkType(228);
    /// Raw IPv6.
    pub const IPV6: LinkType = LinkType(229);
    /// Linux's netfilter log (`-i nflog`).
    pub const NFLOG: LinkType = LinkType(239);
    /// Hilscher's netANALYZER: four octets before Ethernet.
    pub const NETANALYZER: LinkType = LinkType(240);
    /// Hilscher's netANALYZER with preamble and start of frame.
    pub const NETANALYZER_TRANSPARENT: LinkType = LinkType(241);
    /// IP over InfiniBand (RFC 4391).
    pub const IPOIB: LinkType = LinkType(242);
    /// Apple's PKTAP: the interface, the process and the link type before each packet.
    pub const PKTAP: LinkType = LinkType(258);
    /// Ethernet passive optical network: Ethernet behind its preamble.
    pub const EPON: LinkType = LinkType(259);
    /// Ethernet's preemptible frames (IEEE 802.3br).
    pub const ETHERNET_MPACKET: LinkType = LinkType(274);
    /// Linux cooked capture, second version: with the interface's number.
    pub const LINUX_SLL2: LinkType = LinkType(276);
    /// Ethernet with a Broadcom tag of a switch between the addresses and the type.
    pub const DSA_TAG_BRCM: LinkType = LinkType(281);
    /// Ethernet with a Broadcom tag of a switch before it.
    pub const DSA_TAG_BRCM_PREPEND: LinkType = LinkType(282);
    /// Ethernet with a Marvell tag of a switch.
    pub const DSA_TAG_DSA: LinkType = LinkType(284);
    /// Ethernet with a Marvell tag of a switch that has a type of its own.
    pub const DSA_TAG_EDSA: LinkType = LinkType(285);
    /// No number of the registry: a packet that tcpdump printed, and that is no TCP.
    pub const TEXT: LinkType = LinkType(u16::MAX);

    /// May there be IP in its frames? Not on buses, in telephony, or in what a host says to its own
    /// devices. IEEE 802.15.4 has IPv6, compressed (6LoWPAN, RFC 4944 and 6282).
    pub fn can_carry_ip(self) -> bool {
        !matches!(
            self.0,
            139..=142 | 144 | 165 | 169..=173 | 177 | 186 | 187 | 189 | 190 | 199 | 201 | 203 | 209..=214 | 216..=218 | 220 | 221 | 223 | 227 | 231 | 235..=237 | 245 | 248..=251 | 253..=257 | 260..=266 | 268..=272 | 275 | 286..=288 | 290 | 292..=299 | u16::MAX
        )
    }
}

/// The name in the registry of link types without its prefix, or the number.
impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = if matches!(self.0, 12 | 14) { 101 } else { self.0 };
        match NAMES.binary_search_by_key(&number, |(number, _)| *number) {
            Ok(at) => f.write_str(NAMES[at].1),
            Err(_) if *self == LinkType::TEXT => f.write_str("text without TCP flags"),
            Err(_) => write!(f, "{number}"),
        }
    }
}

/// By number.
const NAMES: &[(u16, &str)] = &[
    (0, "NULL"),
    (1, "ETHERNET"),
    (3, "AX25"),
    (6, "IEEE802_5"),
    (7, "ARCNET_BSD"),
    (8, "SLIP"),
    (9, "PPP"),
    (10, "FDDI"),
    (50, "PPP_HDLC"),
    (51, "PPP_ETHER"),
    (99, "SYMANTEC_FIREWALL"),
    (100, "ATM_RFC1483"),
    (101, "RAW"),
    (104, "C_HDLC"),
    (105, "IEEE802_11"),
    (106, "ATM_CLIP"),
    (107, "FRELAY"),
    (108, "LOOP"),
    (109, "ENC"),
    (113, "LINUX_SLL"),
    (114, "LTALK"),
    (117, "PFLOG"),
    (119, "IEEE802_11_PRISM"),
    (122, "IP_OVER_FC"),
    (123, "SUNATM"),
    (127, "IEEE802_11_RADIOTAP"),
    (129, "ARCNET_LINUX"),
    (138, "APPLE_IP_OVER_IEEE1394"),
    (139, "MTP2_WITH_PHDR"),
    (140, "MTP2"),
    (141, "MTP3"),
    (142, "SCCP"),
    (143, "DOCSIS"),
    (144, "LINUX_IRDA"),
    (149, "USER2"),
    (163, "IEEE802_11_AVS"),
    (165, "BACNET_MS_TP"),
    (166, "PPP_PPPD"),
    (167, "JUNIPER_PPPOE"),
    (169, "GPRS_LLC"),
    (177, "LINUX_LAPD"),
    (178, "JUNIPER_ETHER"),
    (179, "JUNIPER_PPP"),
    (180, "JUNIPER_FRELAY"),
    (181, "JUNIPER_CHDLC"),
    (182, "MFR"),
    (187, "BLUETOOTH_HCI_H4"),
    (189, "USB_LINUX"),
    (190, "CAN20B"),
    (191, "IEEE802_15_4_LINUX"),
    (192, "PPI"),
    (195, "IEEE802_15_4_WITHFCS"),
    (197, "ERF"),
    (199, "IPMB_KONTRON"),
    (201, "BLUETOOTH_HCI_H4_WITH_PHDR"),
    (202, "AX25_KISS"),
    (203, "LAPD"),
    (204, "PPP_WITH_DIR"),
    (205, "C_HDLC_WITH_DIR"),
    (206, "FRELAY_WITH_DIR"),
    (209, "I2C_LINUX"),
    (210, "FLEXRAY"),
    (211, "MOST"),
    (212, "LIN"),
    (215, "IEEE802_15_4_NONASK_PHY"),
    (216, "LINUX_EVDEV"),
    (217, "GSMTAP_UM"),
    (218, "GSMTAP_ABIS"),
    (219, "MPLS"),
    (220, "USB_LINUX_MMAPPED"),
    (221, "DECT"),
    (226, "IPNET"),
    (227, "CAN_SOCKETCAN"),
    (228, "IPV4"),
    (229, "IPV6"),
    (230, "IEEE802_15_4_NOFCS"),
    (231, "DBUS"),
    (235, "DVB_CI"),
    (239, "NFLOG"),
    (240, "NETANALYZER"),
    (241, "NETANALYZER_TRANSPARENT"),
    (242, "IPOIB"),
    (245, "NFC_LLCP"),
    (247, "INFINIBAND"),
    (248, "SCTP"),
    (249, "USBPCAP"),
    (250, "RTAC_SERIAL"),
    (251, "BLUETOOTH_LE_LL"),
    (252, "WIRESHARK_UPPER_PDU"),
    (253, "NETLINK"),
    (254, "BLUETOOTH_LINUX_MONITOR"),
    (255, "BLUETOOTH_BREDR_BB"),
    (256, "BLUETOOTH_LE_LL_WITH_PHDR"),
    (257, "PROFIBUS_DL"),
    (258, "PKTAP"),
    (259, "EPON"),
    (260, "IPMI_HPM_2"),
    (261, "ZWAVE_R1_R2"),
    (262, "ZWAVE_R3"),
    (263, "WATTSTOPPER_DLM"),
    (264, "ISO_14443"),
    (265, "RDS"),
    (266, "USB_DARWIN"),
    (268, "SDLC"),
    (270, "LORATAP"),
    (271, "VSOCK"),
    (272, "NORDIC_BLE"),
    (273, "DOCSIS31_XRA31"),
    (274, "ETHERNET_MPACKET"),
    (275, "DISPLAYPORT_AUX"),
    (276, "LINUX_SLL2"),
    (280, "VPP_DISPATCH"),
    (281, "DSA_TAG_BRCM"),
    (282, "DSA_TAG_BRCM_PREPEND"),
    (283, "IEEE802_15_4_TAP"),
    (284, "DSA_TAG_DSA"),
    (285, "DSA_TAG_EDSA"),
    (286, "ELEE"),
    (287, "Z_WAVE_SERIAL"),
    (288, "USB_2_0"),
    (289, "ATSC_ALP"),
    (290, "ETW"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_by_number() {
        assert!(NAMES.is_sorted());
        assert_eq!(LinkType::PKTAP.to_string(), "PKTAP");
        assert_eq!(LinkType(12).to_string(), "RAW");
        assert_eq!(LinkType(65_000).to_string(), "65000");
    }

    #[test]
    fn only_what_can_carry_ip_may_hide_a_connection() {
        for link in [0, 1, 105, 147, 195, 230, 247, 258, 65_000] {
            assert!(LinkType(link).can_carry_ip(), "{link}");
        }
        for link in [189, 201, 227, 253] {
            assert!(!LinkType(link).can_carry_ip(), "{link}");
        }
    }
}
