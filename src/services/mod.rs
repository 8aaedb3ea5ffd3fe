//! Ports by their names.

use std::collections::HashMap;
use std::sync::LazyLock;

/// The names under which tcpdump and Wireshark print the usual ports.
const USUAL: &[(&str, u16)] = &[
    ("amqp", 5672),
    ("amqps", 5671),
    ("domain", 53),
    ("ftp", 21),
    ("ftp-data", 20),
    ("git", 9418),
    ("http", 80),
    ("http-alt", 8080),
    ("http-proxy", 8080),
    ("https", 443),
    ("https-alt", 8443),
    ("imap", 143),
    ("imap2", 143),
    ("imaps", 993),
    ("kafka", 9092),
    ("kerberos", 88),
    ("ldap", 389),
    ("ldaps", 636),
    ("microsoft-ds", 445),
    ("mongodb", 27017),
    ("mqtt", 1883),
    ("ms-sql-s", 1433),
    ("mysql", 3306),
    ("mysqlx", 33060),
    ("netbios-ssn", 139),
    ("nfs", 2049),
    ("ora-sqlnet", 1521),
    ("pcsync-https", 8443),
    ("pop3", 110),
    ("pop3s", 995),
    ("postgres", 5432),
    ("postgresql", 5432),
    ("redis", 6379),
    ("rpcbind", 111),
    ("smtp", 25),
    ("smtps", 465),
    ("ssh", 22),
    ("submission", 587),
    ("sunrpc", 111),
    ("telnet", 23),
    ("webcache", 8080),
    ("www", 80),
    ("www-http", 80),
    ("xmpp-client", 5222),
    ("zabbix-agent", 10050),
    ("zabbix-trapper", 10051),
];

/// Names that are registered with IANA, and those that systems have beside them: a port on each line, and its names.
/// Only few are usual, but a client's port can have any, and a list or a capture is of another host as a rule.
static REGISTERED: LazyLock<HashMap<&str, u16>> = LazyLock::new(|| {
    let lines = include_str!("registered.txt").lines();
    let names = |line: &'static str| {
        let mut words = line.split(' ');
        let port = words.next().and_then(|port| port.parse().ok()).unwrap_or(0);
        words.map(move |name| (name, port))
    };
    lines.flat_map(names).collect()
});

/// Services of this host's list that both lack, read when the first is met.
static OF_HOST: LazyLock<Vec<(String, u16)>> =
    LazyLock::new(|| parse(&std::fs::read_to_string("/etc/services").unwrap_or_default()));

/// The port of a TCP service, by the usual list, the registered ones and this host's `/etc/services`.
pub fn port_of(name: &str) -> Option<u16> {
    if let Some((_, port)) = USUAL.iter().find(|(usual, _)| *usual == name) {
        return Some(*port);
    }
    let small = name.to_ascii_lowercase();
    if let Some(port) = REGISTERED.get(&*small) {
        return Some(*port);
    }
    OF_HOST.iter().find(|(service, _)| service == name).map(|(_, port)| *port)
}

/// `name port/tcp alias…  # comment`.
fn parse(text: &str) -> Vec<(String, u16)> {
    let mut services = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let (Some(name), Some(port)) = (words.next(), words.next()) else { continue };
        let Some(port) = port.strip_suffix("/tcp").and_then(|port| port.parse().ok()) else {
            continue;
        };
        services.push((name.to_owned(), port));
        services.extend(words.map(|alias| (alias.to_owned(), port)));
    }
    services
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registered_names_are_known_on_any_host() {
        for (name, port) in [
            ("ddi-tcp-1", 8888),
            ("irdmi", 8000),
            ("distinct", 9999),
            ("XmlIpcRegSvc", 9092),
            ("tproxy", 8081),
        ] {
            assert_eq!(port_of(name), Some(port), "{name}");
        }
        assert!(REGISTERED.values().all(|port| *port != 0));
        // No name of a zone is one.
        for zone in ["com", "net", "local", "internal", "svc", "name", "test", "host"] {
            assert_eq!(port_of(zone), None, "{zone}");
        }
    }

    #[test]
    fn names_and_aliases_of_tcp_are_read() {
        let text = "# the list\nwww 80/tcp web httpd # pages\nntp 123/udp\nodd\n";
        let expected = [("www", 80), ("web", 80), ("httpd", 80)];
        assert_eq!(parse(text), expected.map(|(name, port)| (name.to_owned(), port)));
        assert_eq!(port_of("mysql"), Some(3306));
        assert_eq!(port_of("no-such-service-here"), None);
    }
}
