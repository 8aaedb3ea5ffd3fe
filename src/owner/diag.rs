//! Sockets by sock_diag(7): the kernel looks one up by its ends, or lists those of one state, where
//! `/proc/net/tcp` writes out every socket of the host.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP};
use netlink_packet_sock_diag::inet::nlas::Nla;
use netlink_packet_sock_diag::inet::{
    ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags, Timer,
};
use netlink_sys::protocols::NETLINK_SOCK_DIAG;
use nix::net::if_::if_nameindex;

use super::netlink::Netlink;
use super::silence::Silence;
use super::{Socket, endpoint, kernel_state, multipath};
use crate::tcp::segment::Endpoint;

/// In place of the kernel's own number of a socket: whichever it is (INET_DIAG_NOCOOKIE).
const ANY: [u8; 8] = [0xff; 8];

/// The sockets with these ends, the local one first, and if `stuck`, every one in CLOSE-WAIT, too. Their
/// holders are yet to be found.
///
/// # Errors
/// If the kernel has no sock_diag, or refuses.
pub fn sockets(ends: &[Addresses], stuck: bool) -> io::Result<Vec<Socket>> {
    let mut diag = Diag::open()?;
    let mut found = Found::new();
    let asked: BTreeSet<Ends> = ends.iter().map(|(a, b)| (endpoint(*a), endpoint(*b))).collect();
    for ends in ends {
        diag.look_up(ends, ANYWHERE, &mut found)?;
    }
    if stuck || !diag.look_up_bound(ends, &mut found)? {
        for family in [SocketId::new_v4(), SocketId::new_v6()] {
            diag.ask(family, NLM_F_REQUEST | NLM_F_DUMP, StateFlags::CLOSE_WAIT, &mut found)?;
        }
    }
    let is_asked = |ends: &Ends| stuck || asked.contains(ends);
    let multipath = diag.multipath().into_values();
    for socket in multipath.filter(|socket| is_asked(&(socket.local, socket.peer))) {
        diag.put_above(socket, &mut found)?;
    }
    Ok(found.into_values().collect())
}

/// The number of no interface.
const ANYWHERE: u32 = 0;

/// Sockets that are looked up one by one: a list of all that are stuck goes through every socket of every network
/// namespace of the host.
const ONE_BY_ONE: usize = 1_024;

/// The ends of a socket, the local one first, as the kernel may have them.
type Addresses = (SocketAddr, SocketAddr);

/// Ends of which IPv4-mapped ones are IPv4.
type Ends = (Endpoint, Endpoint);

type Found = BTreeMap<Ends, Socket>;

struct Diag(Netlink);

impl Diag {
    fn open() -> io::Result<Diag> {
        Netlink::open(NETLINK_SOCK_DIAG).map(Diag)
    }

    /// Looks for a socket that is bound to an interface, or to none.
    fn look_up(
        &mut self,
        ends: &Addresses,
        interface_id: u32,
        found: &mut Found,
    ) -> io::Result<()> {
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
    fn look_up_bound(&mut self, ends: &[Addresses], found: &mut Found) -> io::Result<bool> {
        let is_missing =
            |(local, peer): &&Addresses| !found.contains_key(&(endpoint(*local), endpoint(*peer)));
        let missing: Vec<&Addresses> = ends.iter().filter(is_missing).collect();
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

    /// Sockets of Multipath TCP in CLOSE-WAIT. Where nobody speaks it the kernel is not asked, which might look for a
    /// module then each time.
    fn multipath(&mut self) -> Found {
        let mut found = Found::new();
        if !multipath::is_spoken("/proc/thread-self/net") {
            return found;
        }
        for family in [SocketId::new_v4(), SocketId::new_v6()] {
            let flags = NLM_F_REQUEST | NLM_F_DUMP;
            let mut octets = request(family, OTHERS, flags, StateFlags::CLOSE_WAIT);
            octets.extend(PROTOCOL_ATTRIBUTE.into_iter().flat_map(u16::to_ne_bytes));
            let len = u32::try_from(octets.len()).unwrap_or_default();
            octets.splice(..size_of::<u32>(), len.to_ne_bytes());
            if self.exchange(&octets, true, &mut found).is_err() {
                return Found::new();
            }
        }
        found
    }

    /// Puts a socket of Multipath TCP above the TCP that carries it, which is open as long as it is: its state counts,
    /// with the times of that. Octets that wait are its own, and an end-of-file is none of them.
    fn put_above(&mut self, socket: Socket, found: &mut Found) -> io::Result<()> {
        let ends = (socket.local, socket.peer);
        if !found.contains_key(&ends) {
            self.look_up(&(ends.0.into(), ends.1.into()), ANYWHERE, found)?;
        }
        let silence = found.get(&ends).and_then(|tcp| tcp.silence);
        let recv_q = socket.recv_q.filter(|octets| *octets > 0);
        found.insert(ends, Socket { silence, recv_q, ..socket });
        Ok(())
    }

    fn ask(
        &mut self,
        socket_id: SocketId,
        flags: u16,
        states: StateFlags,
        found: &mut Found,
    ) -> io::Result<()> {
        let octets = request(socket_id, IPPROTO_TCP, flags, states);
        self.exchange(&octets, flags & NLM_F_DUMP != 0, found)
    }

    fn exchange(&mut self, octets: &[u8], is_dump: bool, found: &mut Found) -> io::Result<()> {
        let answer = self.0.ask(octets, is_dump, |message| {
            if let SockDiagMessage::InetResponse(response) = message {
                let socket = socket(&response);
                found.extend(socket.map(|socket| ((socket.local, socket.peer), socket)));
            }
        });
        match answer {
            // No such socket: that is an answer.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            answer => answer,
        }
    }
}

/// In place of a protocol whose number takes more than an octet: an attribute has it (`include/uapi/linux/inet_diag.h`).
const OTHERS: u8 = 255;

/// That attribute: its length, its type (INET_DIAG_REQ_PROTOCOL), and IPPROTO_MPTCP in 32 bits.
const PROTOCOL_ATTRIBUTE: [u16; 4] = match cfg!(target_endian = "little") {
    true => [8, 3, 262, 0],
    false => [8, 3, 0, 262],
};

fn request(socket_id: SocketId, protocol: u8, flags: u16, states: StateFlags) -> Vec<u8> {
    let family = if socket_id.source_address.is_ipv4() { AF_INET } else { AF_INET6 };
    let extensions = ExtensionFlags::INFO;
    let request = InetRequest { family, protocol, extensions, states, socket_id };
    let mut header = NetlinkHeader::default();
    header.flags = flags;
    let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
    message.finalize();
    let mut octets = vec![0; message.buffer_len()];
    message.serialize(&mut octets);
    octets
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

    use chrono::TimeDelta;
    use socket2::{Domain, Socket as Socket2, Type};

    use super::*;
    use crate::skip::skip;
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

    /// Its peer has closed, and the TCP that carries it stays open.
    #[test]
    fn a_socket_of_multipath_tcp_has_its_own_state() {
        let made = || Socket2::new(Domain::IPV4, Type::STREAM, Some(socket2::Protocol::MPTCP));
        let (Ok(server), Ok(client)) = (made(), made()) else { return skip("mptcp") };
        let any: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        server.bind(&any.into()).expect("a port");
        server.listen(1).expect("it is bound");
        let address = server.local_addr().ok().and_then(|it| it.as_socket()).expect("bound");
        client.connect(&address.into()).expect("it listens");
        let own = client.local_addr().ok().and_then(|own| own.as_socket()).expect("open");
        let (served, _) = server.accept().expect("a client");
        served.send(b"x").expect("open");
        client.recv(&mut [std::mem::MaybeUninit::new(0)]).expect("it was sent");
        drop(served);
        std::thread::sleep(std::time::Duration::from_millis(300));
        for (ends, stuck) in [(&[(own, address)][..], false), (&[], true)] {
            let found = sockets(ends, stuck).expect("sock_diag");
            let is_it = |socket: &&Socket| socket.local == endpoint(own);
            let it = found.iter().find(is_it).expect("it is there");
            assert_eq!((it.state, it.recv_q), (State::CloseWait, None), "{found:?}");
            assert!(it.held_for() >= Some(TimeDelta::milliseconds(200)), "{found:?}");
            assert_ne!(it.inode, 0);
        }
        drop(client);
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
