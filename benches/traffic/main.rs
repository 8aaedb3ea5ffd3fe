//! Writes made-up traffic to standard output: captures to measure with, of any size.

mod generator;
#[path = "../../tests/simulation/prng.rs"]
#[allow(dead_code, reason = "each of those that share it uses a part")]
mod prng;

use std::io::{self, BufWriter};
use std::process::ExitCode;

use clap::Parser;
use generator::{Format, Shape};

/// Write made-up traffic to standard output: traffic --packets 1000000 --open 1000 > x.pcap
#[derive(Parser)]
struct Args {
    /// How many packets
    #[arg(long, default_value = "1000000")]
    packets: u64,
    /// Connections that are open at a time
    #[arg(long, default_value = "1000")]
    open: usize,
    /// Packets of about 1,250 octets, in place of 100
    #[arg(long)]
    large: bool,
    /// pcapng in place of pcap
    #[arg(long)]
    pcapng: bool,
    /// Requests of a connection, on average
    #[arg(long)]
    requests: Option<u64>,
    /// Packets in a second of capture time
    #[arg(long)]
    rate: Option<u64>,
    #[arg(long, default_value = "1")]
    seed: u64,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let shape = match args.large {
        true => Shape::large(args.packets, args.open),
        false => Shape::small(args.packets, args.open),
    };
    let shape = Shape {
        seed: args.seed,
        requests: args.requests.unwrap_or(shape.requests),
        rate: args.rate.unwrap_or(shape.rate),
        ..shape
    };
    let format = if args.pcapng { Format::Pcapng } else { Format::Pcap };
    let mut out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
    match generator::write(shape, format, &mut out) {
        Ok(truth) => {
            eprintln!(
                "{} packets, {} connections, {} leaks, {} bytes",
                truth.packets, truth.flows, truth.leaks, truth.bytes
            );
            ExitCode::SUCCESS
        }
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("traffic: {error}");
            ExitCode::FAILURE
        }
    }
}
