//! A real browser without a screen, told what to do through two pipes (the DevTools protocol).

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Scratch;

/// A browser with one page.
pub struct Browser {
    process: Child,
    to: File,
    from: File,
    /// Octets that came and are no whole message.
    pending: Vec<u8>,
    session: String,
    last: u64,
    /// All that happened, since somebody took it.
    events: Vec<Value>,
    _profile: Scratch,
}

/// Longer than anything takes, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

impl Browser {
    /// Starts it; `None` if there is none.
    pub fn start() -> Option<Browser> {
        let is_there = |name: &&str| {
            Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success())
        };
        let program =
            ["chromium", "chromium-browser", "google-chrome"].into_iter().find(is_there)?;
        let profile = Scratch::new();
        let pipes = ["to", "from"].map(|name| profile.path().join(name));
        let made = Command::new("mkfifo").args(&pipes).status().expect("mkfifo");
        assert!(made.success(), "no pipes");
        // The shell opens both ends at once, so that nobody waits for the other.
        let script = "exec \"$@\" 3<>\"$TO\" 4<>\"$FROM\"";
        let process = Command::new("sh")
            .args(["-c", script, "sh", program, "--headless=new", "--no-sandbox", "--disable-gpu"])
            .args(["--remote-debugging-pipe", "--no-first-run", "--disable-dev-shm-usage"])
            .args(["--disable-background-networking", "--disable-extensions", "--disable-sync"])
            .arg(format!("--user-data-dir={}", profile.path().join("profile").display()))
            .arg("about:blank")
            .env("TO", &pipes[0])
            .env("FROM", &pipes[1])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh");
        let open =
            |path: &Path| OpenOptions::new().read(true).write(true).open(path).expect("a pipe");
        let (to, from) = (open(&pipes[0]), open(&pipes[1]));
        let mut browser = Browser {
            process,
            to,
            from,
            pending: Vec::new(),
            session: String::new(),
            last: 0,
            events: Vec::new(),
            _profile: profile,
        };
        let targets = browser.ask("Target.getTargets", json!({}));
        let page = targets["targetInfos"]
            .as_array()
            .and_then(|all| all.iter().find(|target| target["type"] == "page"));
        let target = page.expect("a page")["targetId"].clone();
        let attached =
            browser.ask("Target.attachToTarget", json!({"targetId": target, "flatten": true}));
        browser.session = attached["sessionId"].as_str().expect("a session").into();
        for domain in ["Page", "Runtime", "Network", "Log"] {
            browser.ask(&format!("{domain}.enable"), json!({}));
        }
        Some(browser)
    }

    /// Has something done, and waits for the answer.
    pub fn ask(&mut self, method: &str, parameters: Value) -> Value {
        self.last += 1;
        let id = self.last;
        let mut message = json!({"id": id, "method": method, "params": parameters});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        let mut octets = serde_json::to_vec(&message).expect("JSON");
        octets.push(0);
        self.to.write_all(&octets).expect("a browser that reads");
        loop {
            let answer = self.next();
            if answer["id"] == id {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].clone();
            }
            self.events.push(answer);
        }
    }

    fn next(&mut self) -> Value {
        let began = Instant::now();
        loop {
            if let Some(end) = self.pending.iter().position(|octet| *octet == 0) {
                let message: Vec<u8> = self.pending.drain(..=end).collect();
                return serde_json::from_slice(&message[..end]).expect("JSON");
            }
            assert!(began.elapsed() < PATIENCE, "the browser does not answer");
            let mut octets = [0; 65_536];
            let n = self.from.read(&mut octets).expect("a browser that writes");
            self.pending.extend_from_slice(&octets[..n]);
        }
    }

    fn wait_for(&mut self, event: &str) {
        while !self.events.iter().any(|seen| seen["method"] == event) {
            let next = self.next();
            self.events.push(next);
        }
    }

    /// Opens a file, and returns what happened until it was there.
    pub fn open(&mut self, path: &str) -> Vec<Value> {
        self.events.clear();
        self.ask("Page.navigate", json!({"url": format!("file://{path}")}));
        self.wait_for("Page.loadEventFired");
        // What the page has left to do comes before the answer.
        self.ask("Page.getLayoutMetrics", json!({}));
        std::mem::take(&mut self.events)
    }

    /// Makes the window so wide.
    pub fn width(&mut self, width: u32) {
        let size =
            json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600});
        self.ask("Emulation.setDeviceMetricsOverride", size);
    }

    /// The medium and the colours that it pretends to have.
    pub fn medium(&mut self, medium: &str, scheme: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.ask("Emulation.setEmulatedMedia", json!({"media": medium, "features": features}));
    }

    pub fn scripts(&mut self, on: bool) {
        self.ask("Emulation.setScriptExecutionDisabled", json!({"value": !on}));
    }

    /// The value of an expression in the page.
    pub fn value(&mut self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.ask("Runtime.evaluate", asked);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// A picture of the whole page, as PNG.
    pub fn picture(&mut self) -> Vec<u8> {
        self.pictured(json!({"captureBeyondViewport": true}))
    }

    /// A picture of so much of its top, as WebP.
    pub fn picture_of(&mut self, width: u32, height: u32) -> Vec<u8> {
        let clip = json!({"x": 0, "y": 0, "width": width, "height": height, "scale": 1});
        self.pictured(
            json!({"format": "webp", "quality": 60, "captureBeyondViewport": true, "clip": clip}),
        )
    }

    fn pictured(&mut self, how: Value) -> Vec<u8> {
        let answer = self.ask("Page.captureScreenshot", how);
        let data = answer["data"].as_str().expect("a picture");
        base64::Engine::decode(&base64::engine::general_purpose::STANDARD, data).expect("base64")
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It is told to end, and so do its own processes; one that does not listen is ended.
        let _ = self.to.write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0");
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(5) {
            if matches!(self.process.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
