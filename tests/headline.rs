//! The report claims no more than was read and judged, and contradicts itself nowhere.

mod common;

use common::scenario::Scenario;
use common::talk::{ACK, CLIENT, FIN, PUSH, RST, SECOND, SERVER, SYN, Talk};
use common::wire::{Link, MICROSECONDS, Packet, Record, arp};
use common::{Scratch, closewait, json_lines, text};

fn scenario(name: &str) -> Scenario {
    Scenario::read(&common::project(&format!("fixtures/scenarios/{name}.scn"))).expect("a scenario")
}

fn written(scratch: &Scratch, name: &str) -> String {
    scratch.write(&format!("{name}.pcap"), &MICROSECONDS.write(1, &scenario(name).records()))
}

fn report(args: &[&str]) -> String {
    text(&closewait(args)).0
}

fn packets(name: &str) -> Vec<Packet> {
    scenario(name).rows.into_iter().filter_map(|row| row.packet).collect()
}

/// So many packets of a scenario on a link, from so many seconds after 2023-11-14 on.
fn capture(link: Link, name: &str, packets_of_it: usize, after: u64) -> Vec<u8> {
    let packets = packets(name).into_iter().take(packets_of_it);
    let frames = packets.zip(0..).map(|(packet, n)| {
        Record::new((1_700_000_000 + after) * 1_000_000_000 + n * 1_000_000, packet.frame(link))
    });
    MICROSECONDS.write(link.link_type(), &frames.collect::<Vec<_>>())
}

#[test]
fn where_nobody_closed_nothing_was_judged() {
    let scratch = Scratch::new();
    let open = scratch.write("open.pcap", &capture(Link::Ethernet, "leak", 3, 0));
    let out = report(&[&open]);
    let sentence = "among 1 connection, but no FIN was seen, so nothing was judged: 1 open.";
    assert!(out.contains(sentence), "{out}");
}

/// A FIN that is there to be seen, and was damaged, is not passed over in silence.
#[test]
fn where_no_fin_counts_nobody_is_said_not_to_have_closed() {
    let scratch = Scratch::new();
    let out = report(&[&written(&scratch, "fin-by-damage")]);
    let sentence =
        "among 1 connection, but no FIN that counts was seen, so nothing was judged: 1 open.";
    assert!(out.contains(sentence), "{out}");
    let out = report(&[&written(&scratch, "fin-by-damage"), "--lang", "zh"]);
    assert!(
        out.contains("（共 1 条连接），但没有见到有效的 FIN，所以什么也没有判断：1 条打开"),
        "{out}"
    );
}

/// The advice names one holder of several, and says that there are others.
#[test]
fn one_of_several_holders_is_said_to_be_one() {
    let by_server = [40_000, 40_001].map(|client| Talk::between(client, 3306).closed_by_server());
    let by_client = Talk::between(40_002, 3306).closed_by_client();
    let records: Vec<Record> =
        by_server.into_iter().chain([by_client]).flat_map(|talk| talk.records).collect();
    let scratch = Scratch::new();
    let path = scratch.write("x.pcap", &MICROSECONDS.write(1, &records));
    let out = report(&[&path]);
    let sentence = "use --local 172.18.0.5 (one of 2 holders) to judge one side.";
    assert!(out.contains(sentence), "{out}");
}

/// Two hosts that the user named are not one.
#[test]
fn both_sides_that_are_named_may_be_two_hosts() {
    let scratch = Scratch::new();
    let leak = written(&scratch, "leak");
    let named = ["--local", "172.18.0.5", "--local", "172.18.0.3"];
    let out = report(&[&[&*leak], &named[..]].concat());
    let sentence = "\nBoth sides are local by --local, so each that owes a FIN is judged: \
                    use --local 172.18.0.5 alone to judge one side.\n";
    assert!(out.contains(sentence) && !out.contains("one host"), "{out}");
    let out = report(&[&[&*leak, "--lang", "zh"], &named[..]].concat());
    assert!(out.contains("两侧都由 --local 指定为本端") && !out.contains("同一台主机"), "{out}");
}

/// Beside a connection that was captured whole, and closed, the report said that none is left.
#[test]
fn what_one_side_alone_shows_is_no_all_clear() {
    let mut half = Talk::between(40_000, 80);
    half.records.remove(1);
    for (from, payload) in [(CLIENT, b"ask"), (SERVER, b"..."), (CLIENT, b"ask")] {
        half.send(from, ACK | PUSH, payload);
        if from == SERVER {
            half.records.pop();
        }
    }
    let mut whole = Talk::between(40_001, 80);
    for (from, flags) in [(SERVER, FIN | ACK), (CLIENT, FIN | ACK), (SERVER, ACK)] {
        whole.send(from, flags, b"");
    }
    let scratch = Scratch::new();
    let both = [half.records, whole.records].concat();
    let path = scratch.write("x.pcap", &MICROSECONDS.write(1, &both));
    let out = report(&[&path]);
    assert!(out.starts_with("No finding among 2 connections, but not everything"), "{out}");
    assert!(out.contains("1 connection with one side captured alone (one-side-captured)"), "{out}");
    let checked = report(&["check", &path]);
    assert!(checked.contains("one-side-captured"), "{checked}");
    let lines = json_lines(&closewait(&[&path, "--all", "--format", "jsonl"]));
    assert_eq!(lines[0]["notes"], serde_json::json!(["one-side-captured"]));
}

/// The peer's end was a DATA_FIN, of which TCP knows nothing.
#[test]
fn an_open_connection_of_multipath_tcp_is_no_all_clear() {
    let capable = vec![30, 12, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8];
    let scratch = Scratch::new();
    for (answer, is_multipath) in [(capable.clone(), true), (Vec::new(), false)] {
        let mut talk = Talk::between(40_000, 80).say(CLIENT, b"ask").say(SERVER, b"...");
        let ends = ["172.18.0.5:40000", "172.18.0.3:80"].map(|end| end.parse().expect("an end"));
        for (n, flags, options) in [(0, SYN, capable.clone()), (1, SYN | ACK, answer)] {
            let packet = Packet {
                nanos: talk.records[n].nanos,
                from: ends[n],
                to: ends[1 - n],
                flags,
                seq: [1_000, 9_000][n],
                ack: [0, 1_001][n],
                window: 500,
                options,
                payload: Vec::new(),
                outgoing: n == 0,
            };
            talk.records[n] = Record::new(packet.nanos, packet.frame(Link::Ethernet));
        }
        let path = scratch.write("x.pcap", &MICROSECONDS.write(1, &talk.records));
        let (out, checked) = (report(&[&path]), report(&["check", &path]));
        let told =
            "1 connection open in Multipath TCP (multipath): its end, a DATA_FIN, is not read";
        assert_eq!(out.contains(told), is_multipath, "{out}");
        assert_eq!(checked.contains("Multipath TCP"), is_multipath, "{checked}");
        assert_eq!(out.starts_with("No finding among 1 connection, but"), is_multipath, "{out}");
        let lines = json_lines(&closewait(&[&path, "--all", "--format", "jsonl"]));
        let notes = if is_multipath { vec!["multipath"] } else { Vec::new() };
        assert_eq!(lines[0]["notes"], serde_json::json!(notes));
        assert_eq!(lines[1]["headline"]["multipath"].as_u64(), is_multipath.then_some(1));
    }
}

/// As tcpdump prints it.
#[test]
fn multipath_tcp_is_known_in_text() {
    let text = "\
08:55:27.390759 IP 10.0.0.1.54650 > 10.0.0.2.9100: Flags [S], seq 7, win 64240, options [mss 1460,nop,wscale 10,mptcp 4 capable v1], length 0
08:55:27.390795 IP 10.0.0.2.9100 > 10.0.0.1.54650: Flags [S.], seq 9, ack 8, win 65160, options [mss 1460,nop,wscale 10,mptcp 12 capable v1 {0x53bf3b5337f02f5a}], length 0
08:55:27.390801 IP 10.0.0.1.54650 > 10.0.0.2.9100: Flags [.], ack 1, win 63, options [mptcp 20 capable v1 {0x34bf3b5337f02f5a,0x53bf3b5337f02f5a}], length 0
";
    let scratch = Scratch::new();
    let out = report(&[&scratch.write("x.txt", text.as_bytes())]);
    assert!(out.contains("1 connection open in Multipath TCP"), "{out}");
}

#[test]
fn a_capture_that_was_cut_off_is_no_all_clear() {
    let scratch = Scratch::new();
    let whole = std::fs::read(written(&scratch, "figure-12-normal-close")).expect("there");
    let cut = scratch.write("cut.pcap", &whole[..whole.len() - 3]);
    let output = closewait(&[&cut, "--format", "jsonl"]);
    assert_eq!(json_lines(&output).last().expect("a summary")["headline"]["cut_off"], 1);
    assert_eq!(output.status.code(), Some(0), "what was found decides");
    let out = report(&[&cut]);
    assert!(
        out.starts_with("No finding among 1 connection, but not everything was judged"),
        "{out}"
    );
    assert!(out.contains("; 1 input cut off in the middle of a record."), "{out}");
}

/// What has ended, unseen, is in CLOSE-WAIT no more: neither in the first line nor in the curve below it.
#[test]
fn the_curve_ends_where_the_headline_says() {
    let scratch = Scratch::new();
    for name in ["four-tuple-used-again-by-the-holder", "four-tuple-used-again-by-the-peer"] {
        let out = report(&[&written(&scratch, name), "--local", "172.18.0.5"]);
        assert!(out.starts_with("No connection left in CLOSE-WAIT among 2 connections."), "{out}");
        assert!(!out.contains("0 … 1"), "{out}");
    }
}

#[test]
fn a_finding_whose_fin_was_not_captured_leads_on_all_the_same() {
    let scratch = Scratch::new();
    let path = written(&scratch, "fin-of-the-peer-missed");
    let out = report(&[&path]);
    let next = out.lines().find_map(|line| line.strip_prefix("next: closewait "));
    let next: Vec<&str> = next.unwrap_or_else(|| panic!("{out}")).split(' ').collect();
    assert_eq!(closewait(&next).status.code(), Some(1), "{next:?}");
}

#[test]
fn one_is_not_they() {
    let scratch = Scratch::new();
    let out = report(&[&written(&scratch, "keep-alive-answered-by-rst")]);
    assert!(out.contains("\nIt was reset by the peer after a long CLOSE-WAIT"), "{out}");
}

/// What a reset has ended is in CLOSE-WAIT no more, and how long it was is known: neither the first line nor the groups
/// say otherwise.
#[test]
fn what_a_reset_has_ended_is_not_left() {
    let held = |client| {
        let mut held = Talk::between(client, 3306).closed_by_server();
        held.nanos += 60 * SECOND;
        held
    };
    let mut ended = held(40_000);
    ended.send(SERVER, RST, b"");
    let mut left = held(40_001);
    left.nanos += 10 * SECOND;
    let scratch = Scratch::new();
    let reset = scratch.write("reset.pcap", &ended.capture(5));
    let out = report(&[&reset]);
    let sentence = "1 of 1 connection held in CLOSE-WAIT by 172.18.0.5 until reset by the peer: \
                    certain.";
    assert!(out.starts_with(sentence) && out.contains("  held 60.0 s  "), "{out}");
    assert!(!out.contains('≥'), "{out}");
    let out = report(&[&reset, "--lang", "zh"]);
    assert!(out.starts_with("1 条连接中有 1 条停留在 CLOSE-WAIT，直到被对端重置，"), "{out}");
    let page = scratch.path().join("page.html").to_str().expect("UTF-8").to_owned();
    closewait(&["report", &reset, "-o", &page]);
    let page = std::fs::read_to_string(page).expect("written");
    assert!(page.contains("<li>Held for 60.0 s</li>"), "{page}");

    let records = [&ended.records[..], &left.records, &[Record::new(left.nanos, arp())]].concat();
    let both = scratch.write("both.pcap", &MICROSECONDS.write(1, &records));
    let out = report(&[&both]);
    let sentence = "2 of 2 connections left in CLOSE-WAIT by 172.18.0.5: all certain; \
                    1 of them until reset by the peer.";
    assert!(out.starts_with(sentence), "{out}");
    assert!(out.contains("  held 60.0 s … ≥ 70.0 s  "), "{out}");
    let out = report(&["diff", &both, &reset]);
    assert!(out.contains("  held 60.0 s"), "{out}");
}

/// A reset ends CLOSE-WAIT, and the end of a capture does not.
#[test]
fn a_row_has_a_lower_bound_where_it_goes_on() {
    let scratch = Scratch::new();
    let reset = written(&scratch, "keep-alive-answered-by-rst");
    let young = written(&scratch, "leak");
    for (args, goes_on) in
        [(vec![&*reset], false), (vec!["--all", "--min-hold", "1h", &young], true)]
    {
        let out = report(&args);
        let row = out.lines().find(|line| line.contains("172.18.0.5:38822 "));
        assert_eq!(row.map(|row| row.contains('≥')), Some(goes_on), "{out}");
    }
}

/// Text prints the time of day alone: neither a day nor a zone is made up for it.
#[test]
fn times_without_a_date_have_none() {
    let scratch = Scratch::new();
    let lines = include_str!("../fixtures/captures/incident-as-text.tcpdump");
    let path = scratch.write("ticket.txt", lines.as_bytes());
    let out = report(&[&path]);
    assert!(out.contains(", 11:38:15 … 11:38:45 (30.0 s)."), "{out}");
    let out = report(&["explain", &path]);
    assert!(out.contains("\nfrom 11:38:15.679863 (times without a date or a zone), "), "{out}");
}

/// Captures that follow one another in time are set apart by their link types, and it says by what.
#[test]
fn captures_are_set_apart_by_what_differs() {
    let scratch = Scratch::new();
    let one = scratch.write("one.pcap", &capture(Link::Ethernet, "leak", 5, 0));
    let other = scratch.write("other.pcap", &capture(Link::Sll, "leak", 5, 100));
    let out = report(&[&one, &other]);
    let sentence =
        format!("{other} is of another link type than {one}: read as a capture of another point.");
    assert!(out.contains(&sentence), "{out}");
}

/// The capture's times are those that `--end` makes of them.
#[test]
fn an_end_that_was_said_is_shown() {
    let scratch = Scratch::new();
    let path = scratch.write("leak.pcap", &capture(Link::Ethernet, "leak", 5, 0));
    let out = report(&[&path, "--utc", "--end", "2023-11-14T22:14:20Z"]);
    assert!(out.contains(", 22:13:20 … 22:14:20 UTC (60.0 s)."), "{out}");
}

/// An end before the last packet, of another day than it, or of a copy.
#[test]
fn an_end_that_cannot_be_is_said() {
    let scratch = Scratch::new();
    let path = scratch.write("leak.pcap", &capture(Link::Ethernet, "leak", 5, 0));
    let ended = |end| report(&[&path, "--utc", "--end", end]);
    let (early, later, copied) =
        (ended("2023-11-14T22:13:10Z"), ended("2023-11-16T00:00:00Z"), ended("mtime"));
    let sentence = "Its end is not 2023-11-14 22:13:10 (--end): packets come after that";
    assert!(early.contains(sentence), "{early}");
    assert!(later.contains("2023-11-14 22:13:20 … 2023-11-16 00:00:00 UTC"), "{later}");
    assert!(copied.contains("(--end mtime), more than 7 days after its last packet"), "{copied}");
    for out in [early, later, copied] {
        assert!(!out.contains("Say until when"), "{out}");
    }
    let text = scratch.write(
        "leak.txt",
        b"10:00:00.0 IP 10.0.0.5.40000 > 10.0.0.3.3306: Flags [S], seq 1, length 0\n",
    );
    let out = report(&[&text, "--end", "2023-11-16T00:00:00Z"]);
    assert!(out.contains("whatever --end says: its times have no date"), "{out}");
    // Of an end there is nothing to say where there is no packet.
    let empty = scratch.write("empty.pcap", &MICROSECONDS.write(1, &[]));
    let out = report(&[&empty, "--end", "mtime"]);
    assert!(out.contains("0 packets") && !out.contains("--end"), "{out}");
}

#[test]
fn lines_that_are_not_packets_are_counted_as_lines() {
    let scratch = Scratch::new();
    let lines = include_str!("../fixtures/captures/incident-as-text.tcpdump");
    let path = scratch.write("ticket.txt", format!("Hi all,\nsee below\n{lines}").as_bytes());
    let out = report(&[&path]);
    assert!(out.contains("Skipped 2 lines that are not packet lines."), "{out}");
}

#[test]
fn a_word_that_there_is_not_is_no_file() {
    let (out, err) = text(&closewait(&["explain", "brif"]));
    assert_eq!(
        (out.as_str(), err.as_str()),
        (
            "",
            "closewait: brif: is neither a file nor a word of a report; did you mean: closewait explain brief\n"
        )
    );
    let (_, err) = text(&closewait(&["explain", "brief.pcap"]));
    assert!(err.contains("brief.pcap: no such file"), "{err}");
}

/// The counts above are of all sockets: what is asked for is said to be a part of them.
#[test]
fn sockets_that_were_not_asked_for_are_not_denied() {
    let scratch = Scratch::new();
    let list = "State Recv-Q Send-Q Local Address:Port Peer Address:Port\n\
        CLOSE-WAIT 1 0 192.0.2.5:40000 198.51.100.3:3306\n\
        CLOSE-WAIT 1 0 192.0.2.5:40002 198.51.100.3:6379\n";
    let path = scratch.write("list", list.as_bytes());
    for (port, said, status) in [
        ("3306", "1 socket in CLOSE-WAIT\n", 1),
        ("80", "No socket in CLOSE-WAIT. Not asked for: 2 sockets in CLOSE-WAIT.\n", 0),
    ] {
        let output = closewait(&["sockets", &path, "--port", port]);
        let out = text(&output).0;
        assert!(out.contains(said), "{out}");
        assert_eq!(output.status.code(), Some(status));
    }
    let (_, err) = text(&closewait(&["sockets", "-p", "80"]));
    assert!(err.contains("-p: a port is --port N, a process --pid N"), "{err}");
}

/// A service is one group, though each of its connections was left after another request: else nobody sees how many they
/// are, nor the timer that closed them.
#[test]
fn many_last_words_are_no_many_groups() {
    let mut records = Vec::new();
    let mut add = |number: u16, port: u16, path: &str| {
        let request = format!("GET /{path} HTTP/1.1\r\nHost: shop\r\n\r\n");
        let talk = Talk::between(40_000 + number, port).say(CLIENT, request.as_bytes());
        let talk = talk.say(SERVER, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        records.extend(talk.wait(30).closed_by_server().records);
    };
    let paths: Vec<String> = (b'a'..b'm').map(|letter| char::from(letter).to_string()).collect();
    (0..).zip(&paths).for_each(|(number, path)| add(number, 80, path));
    (20..23).for_each(|number| add(number, 8080, "same"));
    records.sort_by_key(|record| record.nanos);
    let scratch = Scratch::new();
    let path = scratch.write("many.pcap", &MICROSECONDS.write(1, &records));
    let (out, _) = text(&closewait(&[&path, "--local", "172.18.0.5"]));
    let groups: Vec<&str> = out.lines().filter(|line| line.contains("peer 172.18.0.3:")).collect();
    assert_eq!(groups.len(), 2, "{out}");
    assert!(groups[0].trim_start().starts_with("12  peer 172.18.0.3:80 "), "{out}");
    assert!(out.contains("a timeout of about 30 s") && out.contains("and 11 others"), "{out}");
    let (each, _) = text(&closewait(&[&path, "--local", "172.18.0.5", "--top", "0"]));
    assert!(paths.iter().all(|path| each.contains(&format!("last: GET /{path}"))), "{each}");
}

/// A time of day alone was any day's.
#[test]
fn the_beginning_has_its_date_where_days_differ() {
    let scratch = Scratch::new();
    let talk = Talk::with(8123).say(CLIENT, b"hello").closed_by_server();
    for (seconds, words) in
        [(60, "before 22:13:20 cannot"), (90_000, "before 2023-11-14 22:13:20 cannot")]
    {
        let path = scratch.write("x.pcap", &talk.capture(seconds));
        let out = report(&[&path, "--utc"]);
        assert!(out.contains(&format!("Sockets stuck {words}")), "{out}");
    }
}

/// A percentile is the bound of a size, and no duration that anybody measured.
#[test]
fn a_bound_is_said_to_be_one() {
    let scratch = Scratch::new();
    let closed = |client: u16| {
        let mut talk = Talk::between(client, 8123).say(CLIENT, b"hello").closed_by_server();
        talk.nanos += if client == 40_000 { 10_000_000_000 } else { 300_000_000 };
        talk.send(CLIENT, FIN | ACK, b"");
        talk.send(SERVER, ACK, b"");
        talk.records
    };
    let mut records: Vec<Record> = (40_000..40_120).flat_map(closed).collect();
    records.sort_by_key(|record| record.nanos);
    let out = report(&[&scratch.write("x.pcap", &MICROSECONDS.write(1, &records))]);
    let words =
        "CLOSE-WAIT lasted 320 ms or less in half of them, 10.0 s at most (320 ms or less in 99 %)";
    assert!(out.contains(words), "{out}");
}

/// One capture twice was read as two points, and the next file of the series followed one of them.
#[test]
fn a_file_that_is_named_twice_is_read_once() {
    let scratch = Scratch::new();
    let talk = Talk::with(8123).say(CLIENT, b"hello").wait(5).closed_by_server();
    let end = Record::new(talk.nanos + 60_000_000_000, common::wire::arp());
    let records = [&talk.records[..], &[end]].concat();
    let [one, two] = [&records[..4], &records[4..]];
    let one = scratch.write("x.pcap1", &MICROSECONDS.write(1, one));
    let two = scratch.write("x.pcap2", &MICROSECONDS.write(1, two));
    let link = scratch.path().join("link.pcap");
    std::os::unix::fs::symlink(&one, &link).expect("a link");
    let link = link.to_str().expect("UTF-8");
    for again in [&one, link] {
        let output = closewait(&[&one, again, &two]);
        let (out, err) = text(&output);
        assert_eq!(err, format!("closewait: {again}: is named twice, and read once\n"));
        assert_eq!(output.status.code(), Some(1));
        assert!(out.starts_with("1 of 1 connection left"), "{out}");
        assert_eq!(out, report(&[&one, &two]));
    }
}

/// A host with IPv4 and IPv6 is one, and has two addresses.
#[test]
fn addresses_are_not_taken_for_hosts() {
    let path = common::project("fixtures/captures/reproduction/app.pcap");
    let out =
        report(&[path.to_str().expect("UTF-8"), "--local", "172.18.0.5", "--local", "fd00:18::5"]);
    assert!(out.contains(" left in CLOSE-WAIT by 2 addresses: "), "{out}");
    assert!(out.contains("\nBy address: 22 at 172.18.0.5, 2 at fd00:18::5.\n"), "{out}");
    let out = report(&[path.to_str().expect("UTF-8"), "--local", "172.18.0.5"]);
    assert!(!out.contains("By address"), "{out}");
}

/// A list of another host, or of another namespace, says nothing of the capture: that it seems to be one is said.
#[test]
fn a_list_without_an_address_of_the_capture_is_asked_about() {
    let scratch = Scratch::new();
    let capture = written(&scratch, "leak");
    let said = "No socket in the list has an address of the capture: is it another host's";
    let row = |local: &str| {
        format!("State Recv-Q Send-Q Local Peer\nCLOSE-WAIT 1 0 {local}:40001 172.18.0.3:3306\n")
    };
    // Of the capture's client; of nobody in it; of whoever a name stands for.
    for (local, is_foreign) in [("172.18.0.5", false), ("192.0.2.9", true), ("orders-7", false)] {
        let list = scratch.write("list", row(local).as_bytes());
        let out = report(&["--sockets", &list, &capture]);
        assert_eq!(out.contains(said), is_foreign, "{local}: {out}");
    }
}
