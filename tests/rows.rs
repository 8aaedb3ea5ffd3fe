//! Packets as Wireshark lists them, in columns of somebody's own: its ends and times are found wherever they stand.

mod common;

use common::{Scratch, closewait, json_lines, text};

/// A packet of a list: its time, from the application or to it, and what Info says behind the ports.
type Listed = (&'static str, bool, &'static str);

const PACKETS: [Listed; 7] = [
    ("0.000000", true, "[SYN] Seq=0 Win=229 Len=0"),
    ("0.000050", false, "[SYN, ACK] Seq=0 Ack=1 Win=229 Len=0"),
    ("0.000100", true, "[ACK] Seq=1 Ack=1 Win=229 Len=0"),
    ("30.040000", false, "[FIN, ACK] Seq=1 Ack=1 Win=229 Len=0"),
    ("30.080000", true, "[ACK] Seq=1 Ack=2 Win=229 Len=0"),
    ("64.000000", true, "[TCP Keep-Alive] 47902 → 3306 [ACK] Seq=0 Ack=2 Win=229 Len=0"),
    ("64.000050", false, "[TCP Keep-Alive ACK] 3306 → 47902 [ACK] Seq=2 Ack=1 Win=229 Len=0"),
];

/// The list, each row by the names in curly brackets.
fn list(header: &str, row: &str, time: impl Fn(&str) -> String) -> String {
    let app = ("192.0.2.5", "47902");
    let db = ("198.51.100.3", "3306");
    let rows = (1..).zip(PACKETS).map(|(number, (at, by_app, told)): (u32, Listed)| {
        let [(from, sport), (to, dport)] = if by_app { [app, db] } else { [db, app] };
        let info = match told.contains('→') {
            true => told.to_owned(),
            false => format!("{sport} → {dport} {told}"),
        };
        let named = [
            ("{no}", number.to_string()),
            ("{time}", time(at)),
            ("{from}", from.to_owned()),
            ("{to}", to.to_owned()),
            ("{sport}", sport.to_owned()),
            ("{dport}", dport.to_owned()),
            ("{info}", info),
        ];
        named.iter().fold(format!("{row}\n"), |row, (name, value)| row.replace(name, value))
    });
    header.to_owned() + &rows.collect::<String>()
}

/// The one finding, and for how long it was held.
fn assert_leak(list: &str) {
    assert_leak_of(list.as_bytes());
}

fn assert_leak_of(octets: &[u8]) {
    let list = String::from_utf8_lossy(octets);
    let scratch = Scratch::new();
    let path = scratch.write("list.txt", octets);
    let output = closewait(&[&path, "--format", "jsonl"]);
    let lines = json_lines(&output);
    let flow = lines.first().filter(|line| line["type"] == "flow");
    let flow = flow.unwrap_or_else(|| panic!("{}\n{list}", text(&output).1));
    assert_eq!((&*flow["verdict"].to_string(), &flow["held_s"]), ("\"leak\"", &33.92005.into()));
    let holder = flow["holder"].as_str().expect("a holder");
    assert_eq!(flow[holder]["ip"], "192.0.2.5", "{list}");
    assert_eq!(flow[holder]["port"], 47_902, "{list}");
    assert_eq!(output.status.code(), Some(1), "{list}");
}

/// Info may be the first column, and the destination's may be the one before the source's: then tshark's arrow points back.
#[test]
fn columns_may_stand_in_another_order() {
    for row in [
        "{info} {no} {time} {from} → {to} TCP 66",
        "{info}\t{no}\t{time}\t{from}\t→\t{to}\tTCP\t66",
        "{no} {time} {to} ← {from} TCP 66 {info}",
        "{no}\t{time}\t{to}\t←\t{from}\tTCP\t66\t{info}",
    ] {
        assert_leak(&list("", row, str::to_owned));
    }
}

#[test]
fn ends_are_the_addresses_wherever_they_stand() {
    for row in [
        "{no} {time} {from} {to} TCP 66 {info}",
        "{no} {time}    {from} {to} 66 {info}",
        "{no} {time}    {from} {to} {info}",
        "{time} {from} {to} {info}",
        "{no} {time} {from} {sport} {to} {dport} TCP 66 {info}",
        "{no} {time} {from} {to} {sport} {dport} TCP 66 {info}",
        "{time}\t{from}\t{to}\t{info}",
        "{no}\t{time}\t{from}\t{sport}\t{to}\t{dport}\tTCP\t66\t{info}",
        "\"{no}\",\"{time}\",\"{from}\",\"{sport}\",\"{to}\",\"{dport}\",\"TCP\",\"66\",\"{info}\"",
    ] {
        assert_leak(&list("", row, str::to_owned));
    }
}

#[test]
fn a_header_says_which_end_comes_first() {
    let header = "No. Time Destination Source Protocol Length Info\n";
    assert_leak(&list(header, "{no} {time} {to} {from} TCP 66 {info}", str::to_owned));
    let header = "No.,Time,Destination,Source,Protocol,Length,Info\n";
    let row = "{no},{time},{to},{from},TCP,66,\"{info}\"";
    assert_leak(&list(header, row, str::to_owned));
}

#[test]
fn a_time_is_one_whatever_its_column_is_called() {
    let row = "{no},{time},{from},{to},TCP,66,\"{info}\"";
    for name in ["Since start", "Zeit"] {
        let header = format!("No.,{name},Source,Destination,Protocol,Length,Info\n");
        assert_leak(&list(&header, row, str::to_owned));
    }
    // No time at all.
    let header = "No.,Source,Destination,Protocol,Length,Info\n";
    let none = list(header, "{no},{from},{to},TCP,66,\"{info}\"", str::to_owned);
    let scratch = Scratch::new();
    let output = closewait(&[&scratch.write("list.csv", none.as_bytes())]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).1.contains("without the column Time"));
}

/// "Display Seconds With Hours and Minutes", `tshark -u hms`.
#[test]
fn seconds_may_stand_with_hours_and_minutes() {
    let spoken = |at: &str| {
        let seconds: f64 = at.parse().expect("a number");
        let (minutes, rest) = ((seconds / 60.0).floor(), seconds % 60.0);
        match minutes > 0.0 {
            true => format!("1h {minutes}m {rest:>9.6}s"),
            false => format!("1h {rest:>9.6}s"),
        }
    };
    assert_leak(&list("", "{no} {time} {from} → {to} TCP 66 {info}", spoken));
    let header = "No.,Time,Source,Destination,Protocol,Length,Info\n";
    assert_leak(&list(header, "{no},{time},{from},{to},TCP,66,\"{info}\"", spoken));
}

/// GNU's `fold` counts octets: it splits the arrow, and leaves blanks at either side of its ends.
#[test]
fn lines_may_be_folded_within_a_character() {
    for row in [
        "{no} {time} {from} → {to} TCP 66 {info}",
        "    {no} {time}    {from} → {to}    TCP 66 {info} TSval=1 TSecr=0 [TCP segment of a reassembled PDU]",
        "{time}\t{from}\t{to}\t{info} TSval=1 TSecr=0",
    ] {
        let list = list("", row, str::to_owned);
        for width in (50..=84).step_by(2) {
            let lines = list.lines().flat_map(|line| line.as_bytes().chunks(width));
            assert_leak_of(&lines.collect::<Vec<_>>().join(&b'\n'));
        }
    }
}

/// The marks of a quotation and a fence around a table are none of its cells.
#[test]
fn fields_may_be_quoted_or_fenced() {
    let fields = list(
        "frame.time\tip.src\tip.dst\t_ws.col.Info\n",
        "{time}\t{from}\t{to}\t{info}",
        |time| format!("Nov 14, 2023 {} UTC", of_day(time)),
    );
    assert_leak(&fields);
    assert_leak(&fields.lines().map(|line| format!("> {line}\n")).collect::<String>());
    assert_leak(&format!("We see this:\n\n```text\n{fields}```\n"));
}

/// A time of an evening.
fn of_day(time: &str) -> String {
    let seconds: f64 = time.parse().expect("seconds");
    format!("22:{}:{:09.6}", 13 + (seconds / 60.0) as u32, seconds % 60.0)
}

/// A zone is a number where it has no letters, and words where Windows names it; the differences stay.
#[test]
fn times_may_be_of_any_zone() {
    for zone in ["-03", "+08", "+0545", "CET", "W. Europe Standard Time", "中国标准时间"] {
        let time = |time: &str| format!("Nov 14, 2023 {} {zone}", of_day(time));
        let header = "frame.time\tip.src\tip.dst\t_ws.col.Info\n";
        assert_leak(&list(header, "{time}\t{from}\t{to}\t{info}", time));
    }
}

/// A log's time of whole seconds is not the packet's.
#[test]
fn the_time_of_a_log_before_a_row_is_not_the_packets() {
    let time = |time: &str| {
        let time = of_day(time);
        format!("Nov 14 {} host1 tshark[912]:     2023-11-14 {time}", &time[..8])
    };
    assert_leak(&list("", "{time} {from} → {to} TCP 66 {info}", time));
}
