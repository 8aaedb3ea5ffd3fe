//! An nginx with HTTP/1.1 on one port, and HTTP/2 without TLS on another.

use std::net::{TcpListener, TcpStream};

use super::common;
use super::process::{Process, free_port, until};

const CONFIG: &str = "daemon off; master_process off; pid PID; error_log ERRORS;
events { worker_connections 64; }
http {
  access_log off; client_body_temp_path TEMP; proxy_temp_path TEMP; fastcgi_temp_path TEMP;
  uwsgi_temp_path TEMP; scgi_temp_path TEMP; keepalive_timeout 2s; client_header_timeout 2s;
  client_body_timeout 2s; proxy_read_timeout 60s;
  server { listen 127.0.0.1:ONE; listen 127.0.0.1:TWO http2;
    location / { return 200 ok; }
    location /silent { proxy_pass http://127.0.0.1:SILENT; } }
}";

pub struct Nginx {
    pub one: u16,
    pub two: u16,
    process: Option<Process>,
    /// Accepts what is passed on to it, and never answers.
    _silent: TcpListener,
    _scratch: common::Scratch,
}

impl Nginx {
    /// `None`: there is none, which was said.
    pub fn start() -> Option<Nginx> {
        if !common::tool("nginx").arg("-v").output().is_ok_and(|output| output.status.success()) {
            common::skip("nginx");
            return None;
        }
        let scratch = common::Scratch::new();
        let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
        let (one, two) = (free_port(), free_port());
        let in_folder = |name: &str| scratch.path().join(name).to_str().expect("UTF-8").to_owned();
        let port = |port: u16| port.to_string();
        let config = CONFIG
            .replace("PID", &in_folder("pid"))
            .replace("ERRORS", &in_folder("errors"))
            .replace("TEMP", &in_folder("temp"))
            .replace("ONE", &port(one))
            .replace("TWO", &port(two))
            .replace("SILENT", &port(silent.local_addr().expect("an address").port()));
        let config = scratch.write("nginx.conf", config.as_bytes());
        let errors = in_folder("errors");
        let process = Process::start(common::tool("nginx").args(["-c", &config, "-e", &errors]));
        until("nginx", || {
            [one, two].iter().all(|at| TcpStream::connect(("127.0.0.1", *at)).is_ok())
        });
        Some(Nginx { one, two, process, _silent: silent, _scratch: scratch })
    }

    /// Ends it, whatever is open.
    pub fn stop(&mut self) {
        self.process = None;
    }
}
