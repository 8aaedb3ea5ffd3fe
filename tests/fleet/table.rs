//! Reports as tables: the cells are the values of the JSON lines.

use std::collections::BTreeMap;
use std::path::Path;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::Value;

use super::common::{Scratch, closewait, json_lines, project, text};

/// Rows of a table by their `uid`: cells by the names of columns.
pub fn rows(path: &Path) -> BTreeMap<String, BTreeMap<String, Field>> {
    let table = std::fs::File::open(path).expect("a table");
    let table = SerializedFileReader::new(table).expect("Parquet");
    let rows = table.get_row_iter(None).expect("rows").map(|row| {
        let row = row.expect("a row");
        let cells = row.get_column_iter().map(|(name, cell)| (name.clone(), cell.clone()));
        let cells: BTreeMap<String, Field> = cells.collect();
        let Field::Str(uid) = &cells["uid"] else { panic!("no uid: {cells:?}") };
        (uid.clone(), cells)
    });
    rows.collect()
}

fn micros(time: &Value) -> Field {
    match time.as_str() {
        Some(time) => {
            let time = chrono::DateTime::parse_from_rfc3339(time).expect("RFC 3339");
            Field::TimestampMicros(time.timestamp_micros())
        }
        None => Field::Null,
    }
}

fn string(value: &Value) -> Field {
    value.as_str().map_or(Field::Null, |text| Field::Str(text.into()))
}

fn number(value: &Value) -> Field {
    value.as_i64().map_or(Field::Null, Field::Long)
}

fn seconds(value: &Value) -> Field {
    value.as_f64().map_or(Field::Null, Field::Double)
}

#[test]
fn a_table_says_what_the_lines_say() {
    let scratch = Scratch::new();
    let table = scratch.path().join("point=app-1").join("verdicts.parquet");
    std::fs::create_dir(table.parent().expect("a folder")).expect("room");
    let path = table.to_str().expect("UTF-8");
    for capture in ["reproduction/app.pcap", "reproduction/app.pcapng", "postgresql.pcap"] {
        let capture = project(&format!("fixtures/captures/{capture}"));
        let capture = capture.to_str().expect("UTF-8");
        let lines = json_lines(&closewait(&["--all", "--format", "jsonl", capture]));
        let output = closewait(&["--all", "--format", "parquet", capture, "-o", path]);
        assert!(matches!(output.status.code(), Some(0 | 1)), "{}", text(&output).1);
        let rows = rows(&table);
        let flows: Vec<&Value> = lines.iter().filter(|line| line["type"] == "flow").collect();
        assert_eq!(rows.len(), flows.len());
        for flow in flows {
            let row = &rows[flow["uid"].as_str().expect("a uid")];
            let holder = flow["holder"].as_str().map_or(&Value::Null, |side| &flow[side]);
            let said = flow.get("postgresql").unwrap_or(&flow["mysql"]);
            let cells = [
                ("community_id", string(&flow["community_id"])),
                ("verdict", string(&flow["verdict"])),
                ("finding", flow["finding"].as_bool().map_or(Field::Null, Field::Bool)),
                ("a_ip", string(&flow["a"]["ip"])),
                ("b_port", number(&flow["b"]["port"])),
                ("a_isn", number(&flow["a"]["isn"])),
                ("b_isn", number(&flow["b"]["isn"])),
                ("b_payload_bytes", number(&flow["b"]["payload_bytes"])),
                ("holder_ip", string(&holder["ip"])),
                ("holder_port", number(&holder["port"])),
                ("first_at", micros(&flow["first"]["time"])),
                ("frame", number(&flow["first"]["frame"])),
                ("b_fin_at", micros(&flow["b"]["fin"]["time"])),
                ("held_s", seconds(&flow["held_s"])),
                ("idle_before_fin_s", seconds(&flow["idle_before_fin_s"])),
                ("cause", string(&flow["cause"])),
                ("last_statement", string(&said["last_statement"])),
                ("user", string(&said["user"])),
                ("before_capture", Field::Bool(false)),
            ];
            for (name, cell) in cells {
                assert_eq!(row[name], cell, "{capture}: {name} of {flow}");
            }
        }
    }
}

#[test]
fn a_capture_without_connections_is_a_table_without_rows() {
    let scratch = Scratch::new();
    let head = super::common::wire::MICROSECONDS.write(1, &[]);
    let capture = scratch.write("empty.pcap", &head);
    let table = scratch.path().join("x.parquet");
    let output =
        closewait(&[&capture, "--format", "parquet", "-o", table.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output).1);
    assert!(rows(&table).is_empty());
}

/// A point is named by its folder, whoever reads it.
#[test]
fn a_row_names_its_capture_point() {
    let scratch = Scratch::new();
    let folder = scratch.path().join("point=app-1-eth0");
    std::fs::create_dir(&folder).expect("room");
    let capture = folder.join("x.pcap");
    std::fs::copy(project("fixtures/captures/incident.pcap"), &capture).expect("room");
    let table = scratch.path().join("x.parquet");
    let table_name = table.to_str().expect("UTF-8");
    closewait(&[capture.to_str().expect("UTF-8"), "--format", "parquet", "-o", table_name]);
    let rows = rows(&table);
    assert_eq!(rows.len(), 1);
    let points = rows.values().map(|row| &row["point"]);
    assert!(points.eq([&Field::Str("app-1-eth0".into())]));
}
