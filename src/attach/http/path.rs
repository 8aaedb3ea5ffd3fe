//! A request's path, without its values.

use crate::attach::facts::name;

/// The longest part that is taken for a word.
const LONGEST_WORD: usize = 24;

/// The path without query, and with `?` in place of what is a number or an identifier.
pub fn digest(target: &[u8]) -> String {
    let (target, query) = match target.iter().position(|octet| matches!(octet, b'?' | b'#')) {
        Some(end) => (target.get(..end).unwrap_or(target), "?"),
        None => (target, ""),
    };
    // An absolute form names the host again, and perhaps a user.
    let scheme = target.windows(3).position(|octets| octets == b"://");
    let path = match scheme.filter(|_| !target.starts_with(b"/")) {
        Some(at) => {
            let after = target.get(at + 3..).unwrap_or_default();
            let slash = after.iter().position(|octet| *octet == b'/');
            slash.and_then(|slash| after.get(slash..)).unwrap_or(b"/")
        }
        None => target,
    };
    let parts: Vec<&str> = path
        .split(|octet| *octet == b'/')
        .map(|part| if is_word(part) { str::from_utf8(part).unwrap_or("?") } else { "?" })
        .collect();
    name(format!("{}{query}", parts.join("/")).as_bytes()).into()
}

/// The longest name of a call.
const LONGEST_CALL: usize = 120;

/// A remote call's path: a service and a method, which name code and nothing else.
pub fn of_call(path: &[u8]) -> Option<&str> {
    let is_name = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"_.".contains(&octet))
    };
    let path = str::from_utf8(path).ok().filter(|path| path.len() <= LONGEST_CALL)?;
    let (service, method) = path.strip_prefix('/')?.split_once('/')?;
    (is_name(service) && is_name(method)).then_some(path)
}

/// Letters with `-`, `_`, `.`; of digits no more than a version has: `v2`, `app.js`, `*`.
fn is_word(part: &[u8]) -> bool {
    let is_plain = |octet: &u8| octet.is_ascii_alphanumeric() || b"-_.*".contains(octet);
    let digits = part.iter().filter(|octet| octet.is_ascii_digit()).count();
    let is_version = digits <= 2 && part.first().is_some_and(|octet| !octet.is_ascii_digit());
    part.iter().all(is_plain)
        && !is_token(part)
        && part.len() <= LONGEST_WORD
        && (digits == 0 || is_version && part.len() <= 4)
}

/// Tells tokens by their letters: three groups of as many capitals, or more, with dashes between them, as of a key that is
/// typed; and words that would begin with every fifth letter. One that looks like words is taken for them.
fn is_token(part: &[u8]) -> bool {
    let groups = || part.split(|octet| *octet == b'-').map(<[u8]>::len);
    let is_capital = |octet: &u8| matches!(octet, b'A'..=b'Z' | b'-');
    let is_key = part.iter().all(is_capital)
        && groups().count() >= 3
        && groups().all(|len| len >= 3 && Some(len) == groups().next());
    let letters = part.iter().filter(|octet| octet.is_ascii_alphabetic()).count();
    let begins = |pair: &&[u8]| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase();
    let words = part.windows(2).filter(begins).count();
    is_key || letters >= 10 && words > letters / 5
}

/// Octets of a host and its port, at most (RFC 1035, 2.3.4).
const MOST_HOST: usize = 255 + ":65535".len();

/// Returns the host of a request as it is shown: without a user and a password, which are not to stand before it (RFC 9110,
/// 4.2.4), and do.
pub fn host(host: &[u8]) -> Option<Box<str>> {
    let bare = host.rsplit(|octet| *octet == b'@').next()?;
    (host.len() <= MOST_HOST).then(|| name(bare))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_s_password_stands_before_a_host() {
        let shown = |text: &[u8]| host(text).map(String::from);
        assert_eq!(shown(b"shop:8080").as_deref(), Some("shop:8080"));
        assert_eq!(shown(b"u:secret@pw@shop").as_deref(), Some("shop"));
        assert_eq!(shown(&[b'x'; 400]), None, "the rest may be cut off");
    }

    #[test]
    fn calls_are_names() {
        let path = "/shop.v1.OrderService/ListOrdersOfCustomerByTimeRange";
        assert_eq!(of_call(path.as_bytes()), Some(path));
        for other in ["/orders", "/a/b/c", "/a/42", "/a b/c", "a/b", "//x", "/a/b?c"] {
            assert_eq!(of_call(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn numbers_and_identifiers_are_values() {
        for (target, expected) in [
            ("/users/42/orders", "/users/?/orders"),
            ("/v2/items?q=secret", "/v2/items?"),
            ("/u/9f1c2e64-1b2c-4d3e-8f90-123456789abc", "/u/?"),
            ("/a/alice@example.org/b", "/a/?/b"),
            ("http://user:pw@host/a/1", "/a/?"),
            ("/proxy/http://host/secret.html1", "/proxy/?//host/?"),
            ("/x/ABCD-EFGH-IJKL", "/x/?"),
            ("/x/qWeRtZuIoPaSdF", "/x/?"),
            ("/Home/CustomerOrderHistory", "/Home/CustomerOrderHistory"),
            ("/getXMLDocument/README.md/Z_ORDER_SRV", "/getXMLDocument/README.md/Z_ORDER_SRV"),
            ("/WANIPConnection/AUTH-ROOT/CHANGES.txt", "/WANIPConnection/AUTH-ROOT/CHANGES.txt"),
            ("/static/app.min.js", "/static/app.min.js"),
            ("/%20secret/x", "/?/x"),
            ("*", "*"),
            ("host.example:443", "?"),
            ("/", "/"),
        ] {
            assert_eq!(digest(target.as_bytes()), expected, "{target}");
        }
    }
}
