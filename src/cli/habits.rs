//! Arguments as people type them who know tcpdump, put as clap wants them.

use std::ffi::OsString;

/// Letters of tcpdump's that take a value.
const WITH_VALUE: &str = "rfowcsBZiCGW";

/// Puts the arguments as the parser has them. `is_command` knows the names of commands.
pub fn put(
    args: impl IntoIterator<Item = OsString>,
    is_command: impl Fn(&str) -> bool,
) -> Vec<OsString> {
    let mut args: Vec<OsString> = args.into_iter().collect();
    let word = |args: &[OsString], at: usize| {
        args.get(at).map(|word| word.to_string_lossy().into_owned()).unwrap_or_default()
    };
    // The page of `closewait help` is that of -h: it has to fit a screen.
    if args.len() == 2 && word(&args, 1) == "help" {
        args[1] = "-h".into();
    }
    // `closewait --help live`
    if ["--help", "-h"].contains(&word(&args, 1).as_str()) && is_command(&word(&args, 2)) {
        args.swap(1, 2);
    }
    if word(&args, 1) == "sockets" {
        return sockets(args);
    }
    if !is_command(&word(&args, 1)) && names_interface(args.get(1..).unwrap_or_default()) {
        args.insert(1, "live".into());
    }
    args
}

/// `-i eth0` or `-D` among the flags, in any order and joined with others; but who names a file to read
/// (`-r`) reads it.
fn names_interface(args: &[OsString]) -> bool {
    let mut found = false;
    let mut words = args.iter().map(|word| word.to_string_lossy());
    while let Some(word) = words.next() {
        if word == "--" {
            break;
        }
        let long = word.split('=').next().unwrap_or_default();
        if ["--interface", "--list-interfaces"].contains(&long) {
            found = true;
        }
        let Some(letters) = word.strip_prefix('-').filter(|word| !word.starts_with('-')) else {
            continue;
        };
        for (at, letter) in letters.char_indices() {
            match letter {
                'r' => return false,
                'i' | 'D' => found = true,
                _ => {}
            }
            if WITH_VALUE.contains(letter) {
                // Its value is the rest of the word, or the next one.
                if at + letter.len_utf8() == letters.len() {
                    words.next();
                }
                break;
            }
        }
    }
    found
}

/// `sockets --watch 1` is `sockets --watch=1`, and `sockets port 80` is `sockets --port 80`.
fn sockets(args: Vec<OsString>) -> Vec<OsString> {
    let mut put: Vec<OsString> = Vec::with_capacity(args.len());
    for word in args {
        let begins_with_digit = word.to_string_lossy().starts_with(|c: char| c.is_ascii_digit());
        match put.last_mut() {
            Some(last) if begins_with_digit && *last == "--watch" => {
                last.push("=");
                last.push(word);
            }
            Some(last) if begins_with_digit && *last == "port" => {
                *last = "--port".into();
                put.push(word);
            }
            _ => put.push(word),
        }
    }
    put
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(line: &str) -> String {
        let is_command = |word: &str| ["live", "read", "sockets", "check"].contains(&word);
        let words = line.split(' ').map(OsString::from);
        let put: Vec<String> =
            put(words, is_command).iter().map(|w| w.to_string_lossy().into_owned()).collect();
        put.join(" ")
    }

    #[test]
    fn an_interface_is_watched_wherever_it_is_named() {
        for line in [
            "closewait -i eth0",
            "closewait -n -i eth0 port 80",
            "closewait -nni eth0",
            "closewait -ni any -w x.pcap",
            "closewait --local 10.0.0.5 -i eth0",
            "closewait -c 5 -i eth0",
            "closewait -nD",
            "closewait --interface=eth0",
        ] {
            assert_eq!(typed(line), line.replacen("closewait", "closewait live", 1));
        }
        for line in [
            "closewait live -i eth0",
            "closewait -nnr f port 80",
            "closewait -i eth0 -r f",
            "closewait -w -i x.pcap",
            "closewait x.pcap -- -i",
            "closewait check -i lo",
            "closewait -ro.pcap",
        ] {
            assert_eq!(typed(line), line);
        }
    }

    #[test]
    fn other_habits() {
        assert_eq!(typed("closewait --help live"), "closewait live --help");
        assert_eq!(typed("closewait --help"), "closewait --help");
        assert_eq!(typed("closewait sockets --watch 1"), "closewait sockets --watch=1");
        assert_eq!(
            typed("closewait sockets --watch port 80"),
            "closewait sockets --watch --port 80"
        );
        assert_eq!(typed("closewait sockets list"), "closewait sockets list");
    }
}
