//! Sockets by sock_diag(7): the kernel looks one up by its ends, or lists those of one state, where
//! `/proc/net/tcp` writes out every socket of the host.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP};
use netlink_packet_sock_diag::inet::nlas::Nla;
use netlink_packet_sock_diag::inet::{
    ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags, Timer,
};
use netlink_sys::protocols::NETLINK_SOCK_DIAG;
use netlink_sys::{Socket as Netlink, SocketAddr as Kernel};
use nix::net::if_::if_nameindex;

use super::silence::Silence;
use super::{Socket, endpoint, kernel_state};
use crate::tcp::segment::Endpoint;

/// Octets of a datagram from the kernel, at most (netlink(7): 8 KiB, or a page if that is more).
const LONGEST: usize = 64 * 1_024;

/// In place of the kernel's own number of a socket: whichever it is (INET_DIAG_NOCOOKIE).
const ANY: [u8; 8] = [0xff; 8];

/// The sockets with these ends, the local one first, and if `stuck`, every one in CLOSE-WAIT, too. Their
/// holders are yet to be found.
///
/// # Errors
/// If the kernel has no sock_diag, or refuses.
pub fn sockets(ends: &[Ends], stuck: bool) -> io::Result<Vec<Socket>> {
    let mut diag = Diag::open()?;
    let mut found = Found::new();
    for ends in ends {
        diag.look_up(ends, ANYWHERE, &mut found)?;
    }
    if stuck || !diag.look_up_bound(ends, &mut found)? {
        for family in [SocketId::new_v4(), SocketId::new_v6()] {
            diag.ask(family, NLM_F_REQUEST | NLM_F_DUMP, StateFlags::CLOSE_WAIT, &mut found)?;
        }
    }
    Ok(found.into_values().collect())
}

/// The number of no interface.
const ANYWHERE: u32 = 0;

/// Sockets that are looked up one by one: a list of all that are stuck goes through every socket of every network
/// namespace of the host.
const ONE_BY_ONE: usize = 1_024;

/// The ends of a socket, the local one first.
type Ends = (SocketAddr, SocketAddr);

type Found = BTreeMap<(Endpoint, Endpoint), Socket>;

struct Diag {
    netlink: Netlink,
    received: Vec<u8>,
}

impl Diag {
    fn open() -> io::Result<Diag> {
        let mut netlink = Netlink::new(NETLINK_SOCK_DIAG)?;
        netlink.bind_auto()?;
        Ok(Diag { netlink, received: vec![0; LONGEST] })
    }

    /// Looks for a socket that is bound to an interface, or to none.
    fn look_up(&mut self, ends: &Ends, interface_id: u32, found: &mut Found) -> io::Result<()> {
        let (local, peer) = ends;
        let id = SocketId {
            source_address: local.ip(),
            source_port: local.port(),
            destination_address: peer.ip(),
            destination_port: peer.port(),
            interface_id,
            cookie: ANY,
        };
        self.ask(id, NLM_F_REQUEST, StateFlags::all(), found)
    }

    /// Looks for those that were not found: one that is bound to an interface is not found without its number.
    /// Returns false if that is too much to ask.
    fn look_up_bound(&mut self, ends: &[Ends], found: &mut Found) -> io::Result<bool> {
        let is_missing =
            |(local, peer): &&Ends| !found.contains_key(&(endpoint(*local), endpoint(*peer)));
        let missing: Vec<&Ends> = ends.iter().filter(is_missing).collect();
        if missing.is_empty() {
            return Ok(true);
        }
        let Ok(interfaces) = if_nameindex() else { return Ok(false) };
        if missing.len() * interfaces.iter().count() > ONE_BY_ONE {
            return Ok(false);
        }
        for ends in missing {
            for interface in &interfaces {
                self.look_up(ends, interface.index(), found)?;
            }
        }
        Ok(true)
    }

    fn ask(
        &mut self,
        socket_id: SocketId,
        flags: u16,
        states: StateFlags,
        found: &mut Found,
    ) -> io::Result<()> {
        let family = if socket_id.source_address.is_ipv4() { AF_INET } else { AF_INET6 };
        let request = SockDiagMessage::InetRequest(InetRequest {
            family,
            protocol: IPPROTO_TCP,
            extensions: ExtensionFlags::INFO,
            states,
            socket_id,
        });
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        let mut message = NetlinkMessage::new(header, request.into());
        message.finalize();
        let mut octets = vec![0; message.buffer_len()];
        message.serialize(&mut octets);
        self.netlink.send_to(&octets, &Kernel::new(0, 0), 0)?;
        while self.receive(flags & NLM_F_DUMP != 0, found)? {}
        Ok(())
    }

    /// Takes one datagram, of one message or several. True if more are to come.
    fn receive(&mut self, is_dump: bool, found: &mut Found) -> io::Result<bool> {
        let len = self.netlink.recv(&mut &mut self.received[..], 0)?;
        let mut rest = self.received.get(..len).unwrap_or_default();
        while !rest.is_empty() {
            let message = NetlinkMessage::<SockDiagMessage>::deserialize(rest)
                .map_err(|error| io::Error::other(error.to_string()))?;
            match message.payload {
                NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(response)) => {
                    let socket = socket(&response);
                    found.extend(socket.map(|socket| ((socket.local, socket.peer), socket)));
                }
                NetlinkPayload::Error(error) => {
                    let error = error.to_io();
                    // No such socket: that is an answer.
                    let is_none = error.kind() == io::ErrorKind::NotFound;
                    return if is_none { Ok(false) } else { Err(error) };
                }
                NetlinkPayload::Done(_) => return Ok(false),
                _ => {}
            }
            // Messages are aligned to four octets.
            let next = (message.header.length as usize).max(1).next_multiple_of(4);
            rest = rest.get(next..).unwrap_or_default();
        }
        Ok(is_dump)
    }
}

fn socket(response: &InetResponse) -> Option<Socket> {
    let header = &response.header;
    let id = &header.socket_id;
    let end = |ip: IpAddr, port| endpoint(SocketAddr::new(ip, port));
    Some(Socket {
        local: end(id.source_address, id.source_port),
        peer: end(id.destination_address, id.destination_port),
        state: kernel_state(header.state)?,
        is_assumed: false,
        recv_q: Some(header.recv_queue),
        send_q: Some(header.send_queue),
        inode: header.inode.into(),
        holders: Vec::new(),
        netns: None,
        is_unseen: false,
        silence: silence(response),
        code: None,
    })
}

fn silence(response: &InetResponse) -> Option<Silence> {
    let silence = response.nlas.iter().find_map(|attribute| match attribute {
        Nla::TcpInfo(octets) => Silence::of_tcp_info(octets),
        _ => None,
    })?;
    let keep_alive = matches!(response.header.timer, Some(Timer::KeepAlive(_)));
    Some(Silence { keep_alive, ..silence })
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use socket2::{Domain, Socket as Socket2, Type};

    use super::*;
    use crate::tcp::state::State;

    #[test]
    fn a_socket_is_found_by_its_ends() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("room");
            let (served, _) = listener.accept().expect("a client");
            let ends = [&client, &served].map(|stream| {
                (stream.local_addr().expect("open"), stream.peer_addr().expect("open"))
            });
            let found = sockets(&ends, false).expect("sock_diag");
            assert_eq!(found.len(), 2, "{found:?}");
            assert!(found.iter().all(|socket| socket.state == State::Established));
            drop(served);
            let found = sockets(&ends[..1], false).expect("sock_diag");
            let [stuck] = &found[..] else { panic!("one: {found:?}") };
            assert_eq!(
                (stuck.state, stuck.recv_q),
                (State::CloseWait, Some(1)),
                "its end is unread"
            );
            assert_ne!(stuck.inode, 0);
            let all = sockets(&[], true).expect("sock_diag");
            // Time goes on between two looks.
            let is_it = |socket: &&Socket| socket.inode == stuck.inode;
            let again = all.iter().find(is_it).expect("it is still there");
            assert_eq!(again, &Socket { silence: again.silence, ..stuck.clone() });
            assert!(again.held_for() >= stuck.held_for() && all.iter().all(Socket::is_stuck));
        }
    }

    #[test]
    fn a_socket_that_is_bound_to_an_interface_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let client = Socket2::new(Domain::IPV4, Type::STREAM, None).expect("room");
        client.bind_device(Some(b"lo")).expect("Linux 5.7, or root");
        client.connect(&address.into()).expect("it listens");
        let own = client.local_addr().ok().and_then(|own| own.as_socket()).expect("open");
        let found = sockets(&[(own, address)], false).expect("sock_diag");
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].state, State::Established);
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let nobody = ("192.0.2.1:1".parse().expect("one"), "192.0.2.2:2".parse().expect("one"));
        let found = sockets(&[nobody], false).expect("sock_diag");
        assert!(found.iter().all(|socket| socket.local != endpoint(nobody.0)), "{found:?}");
    }
}
