//! One interface, and the list of all.

use std::collections::BTreeSet;
use std::net::IpAddr;

use pcap::{Active, Capture, Device};

use super::{CannotCapture, Wanted};
use crate::capture::LinkType;
use crate::printable::printable;

/// An interface that is captured on.
pub struct Interface {
    pub name: String,
    pub capture: Capture<Active>,
    pub link: LinkType,
    pub is_lost: bool,
    /// The first packets cannot be had.
    pub is_late: bool,
}

/// The place at which only the kernel's filters find a packet's direction (SKF_AD_PKTTYPE). Those that lie in the first
/// block of the ring, libpcap filters once more by itself, and finds none.
const DIRECTION: &str = " 4294963204";

impl Interface {
    pub fn open(name: &str, wanted: &Wanted) -> Result<Interface, CannotCapture> {
        let wrong = |error: pcap::Error| {
            let interface = printable(name);
            CannotCapture::Interface { interface, error: error.to_string() }
        };
        let mut capture = Capture::from_device(name)
            .map_err(wrong)?
            .snaplen(i32::try_from(snap_len(name, wanted)).unwrap_or(i32::MAX))
            .buffer_size(i32::try_from(wanted.buffer).unwrap_or(i32::MAX))
            .promisc(wanted.promiscuous && name != "any")
            .timeout(100)
            .open()
            .map_err(wrong)?;
        capture.filter(&wanted.filter, true).map_err(|error| {
            let expression = printable(&wanted.filter);
            CannotCapture::Filter { expression, error: error.to_string() }
        })?;
        let program = capture.compile(&wanted.filter, true).map_err(wrong)?;
        let mut steps = program.get_instructions().iter();
        let is_late = steps.any(|step| step.to_string().ends_with(DIRECTION));
        let link = LinkType(capture.get_datalink().0 as u16);
        let capture = capture.setnonblock().map_err(wrong)?;
        Ok(Interface { name: name.into(), capture, link, is_lost: false, is_late })
    }
}

/// Octets of each packet that are asked for. Of netfilter's log several come in one message, which has to have room.
fn snap_len(name: &str, wanted: &Wanted) -> u32 {
    match name.starts_with("nflog") {
        true => wanted.snap_len.max(WHOLE_MESSAGE),
        false => wanted.snap_len,
    }
}

/// Octets of the longest such message.
const WHOLE_MESSAGE: u32 = 256 << 10;

/// The addresses of the host, so far as they can be told: at whatever interface one is, its packets may pass another.
pub fn addresses() -> BTreeSet<IpAddr> {
    let devices = Device::list().unwrap_or_default().into_iter();
    devices.flat_map(|device| device.addresses).map(|address| address.addr).collect()
}

/// Names and descriptions of the interfaces.
///
/// # Errors
/// If libpcap cannot list them.
pub fn interfaces() -> Result<Vec<String>, CannotCapture> {
    let listed = Device::list().map_err(|error| CannotCapture::Interface {
        interface: "interfaces".into(),
        error: error.to_string(),
    })?;
    let line = |(number, device): (usize, Device)| {
        let about = device.desc.map_or(String::new(), |about| format!(" ({about})"));
        printable(&format!("{}.{}{about}", number + 1, device.name))
    };
    Ok(listed.into_iter().enumerate().map(line).collect())
}
