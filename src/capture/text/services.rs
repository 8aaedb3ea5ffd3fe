//! Ports by their names.

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

/// Services of the usual list, and of this host's `/etc/services`, which is read when a name is
/// met that is not on it.
#[derive(Default)]
pub struct Services {
    of_host: Option<Vec<(String, u16)>>,
}

impl Services {
    /// The port of a TCP service.
    pub fn port(&mut self, name: &str) -> Option<u16> {
        if let Some((_, port)) = USUAL.iter().find(|(usual, _)| *usual == name) {
            return Some(*port);
        }
        let of_host = self.of_host.get_or_insert_with(|| {
            parse(&std::fs::read_to_string("/etc/services").unwrap_or_default())
        });
        of_host.iter().find(|(service, _)| service == name).map(|(_, port)| *port)
    }
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
    fn names_and_aliases_of_tcp_are_read() {
        let text = "# the list\nwww 80/tcp web httpd # pages\nntp 123/udp\nodd\n";
        let expected = [("www", 80), ("web", 80), ("httpd", 80)];
        assert_eq!(parse(text), expected.map(|(name, port)| (name.to_owned(), port)));
        assert_eq!(Services::default().port("mysql"), Some(3306));
        assert_eq!(Services::default().port("no-such-service-here"), None);
    }
}
