//! The rules and the dashboard beside the numbers that they are about, and a real Prometheus.
#![cfg(feature = "libpcap")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use closewait::report::prometheus::text;
use closewait::summary::gauges::{Changes, Gauges};
use common::{Need, ROOT, Scratch, command, lacks, project, skip};

const PROMTOOL: Need = ("promtool", "promtool", &["--version"]);
const PROMETHEUS: Need = ("prometheus", "prometheus", &["--version"]);

fn words<'a>(text: &'a str, begins: &str) -> BTreeSet<&'a str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c| !is_part(c)).filter(|word| word.starts_with(begins)).collect()
}

/// Whatever they ask for, there is.
#[test]
fn rules_and_dashboard_are_about_numbers_that_there_are() {
    let mut changes = Changes::default();
    let labels = changes.begin("10.0.0.1:3306".into(), "orders".into());
    changes.end(labels, "closed");
    let gauges = Gauges { changes, ..Gauges::default() };
    let text = text(gauges, false).expect("text");
    let told = words(&text, "closewait_");
    for name in [".dist/alerts.yml", ".dist/grafana.json"] {
        let file = fs::read_to_string(project(name)).expect(name);
        let asked = words(&file, "closewait_");
        assert!(asked.len() > 3, "{name}");
        let lost: Vec<&&str> = asked.difference(&told).collect();
        assert!(lost.is_empty(), "{name}: {lost:?} in\n{text}");
    }
    let dashboard = fs::read(project(".dist/grafana.json")).expect("it");
    let dashboard: serde_json::Value = serde_json::from_slice(&dashboard).expect("JSON");
    assert_eq!(dashboard["title"], "closewait");
}

#[test]
fn rules_fire_when_they_should() {
    if let Some(missing) = lacks(&[PROMTOOL]) {
        return skip(missing);
    }
    for args in [["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]] {
        let output = Command::new("promtool").args(args).current_dir(project(".dist")).output();
        let output = output.expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port()
}

fn get(port: u16, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: here\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map(|_| answer)
}

#[test]
fn a_real_prometheus_takes_the_numbers_and_the_rules() {
    if let Some(missing) = lacks(&[ROOT, PROMETHEUS]) {
        return skip(missing);
    }
    let live = command(&["live", "-i", "lo", "--metrics", "127.0.0.1:0", "--", "port", "1"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut live = Running(live.expect("the binary runs"));
    let mut said = BufReader::new(live.0.stderr.take().expect("piped"));
    let mut line = String::new();
    said.read_line(&mut line).expect("a line");
    let target = line.trim().trim_end_matches("/metrics").rsplit('/').next().expect("an address");
    let scratch = Scratch::new();
    let rules = project(".dist/alerts.yml");
    let config = scratch.write(
        "prometheus.yml",
        format!(
            "global: {{scrape_interval: 1s}}\nrule_files: ['{}']\nscrape_configs:\n- job_name: closewait\n  static_configs: [{{targets: ['{target}']}}]\n",
            rules.display()
        )
        .as_bytes(),
    );
    let port = free_port();
    let prometheus = Command::new("prometheus")
        .arg(format!("--config.file={config}"))
        .arg(format!("--storage.tsdb.path={}", scratch.path().join("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let _prometheus = Running(prometheus.expect("it runs"));
    let started = Instant::now();
    let mut last = String::new();
    while started.elapsed() < Duration::from_secs(60) {
        last = get(port, "/api/v1/query?query=closewait_build_info").unwrap_or_default();
        if last.contains(concat!("\"version\":\"", env!("CARGO_PKG_VERSION"), "\"")) {
            let rules = get(port, "/api/v1/rules").expect("it answers");
            assert!(rules.contains("CloseWaitGrows") && !rules.contains("\"health\":\"err\""));
            return;
        }
        sleep(Duration::from_millis(200));
    }
    panic!("never scraped: {last}");
}
