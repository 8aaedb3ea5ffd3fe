//! Writes made-up traffic to standard output: captures to measure with, of any size.

mod generator;
#[path = "../../tests/simulation/prng.rs"]
#[allow(dead_code, reason = "each of those that share it uses a part")]
mod prng;
#[allow(dead_code, reason = "each of those that share it uses a part")]
mod recorded;

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
    /// Segments of 32 KB
    #[arg(long, conflicts_with = "large")]
    huge: bool,
    /// Recorded from real servers and multiplied by addresses; of the other flags, only --packets counts
    #[arg(long, value_parser = recorded::ALL.iter().map(|one| one.name).collect::<Vec<_>>())]
    recorded: Option<String>,
    /// The servers' port
    #[arg(long, default_value = "5432")]
    port: u16,
    /// pcapng in place of pcap
    #[arg(long)]
    pcapng: bool,
    /// Requests of a connection, on average
    #[arg(long)]
    requests: Option<u64>,
    /// One connection in so many leaks
    #[arg(long)]
    leaks: Option<u64>,
    /// So many connections that are opened, closed by the server, and left: nothing else
    #[arg(long, conflicts_with_all = ["packets", "open", "large", "huge", "requests", "leaks"])]
    flood: Option<u64>,
    /// Packets in a second of capture time
    #[arg(long)]
    rate: Option<u64>,
    #[arg(long, default_value = "1")]
    seed: u64,
}

fn main() -> ExitCode {
    match write(&Args::parse()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("traffic: {error}");
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

fn write(args: &Args) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
    if let Some(name) = &args.recorded {
        recorded::multiply(recorded::named(name), args.packets, &mut out)?;
        return Ok(());
    }
    let shape = match (args.large, args.huge) {
        (true, _) => Shape::large(args.packets, args.open),
        (_, true) => Shape::huge(args.packets, args.open),
        _ => Shape::small(args.packets, args.open),
    };
    let shape = args.flood.map_or(shape, Shape::flood);
    let shape = Shape {
        seed: args.seed,
        leaks: args.leaks.unwrap_or(shape.leaks).max(1),
        requests: args.requests.unwrap_or(shape.requests),
        rate: args.rate.unwrap_or(shape.rate),
        ..shape
    }
    .on(args.port);
    let format = if args.pcapng { Format::Pcapng } else { Format::Pcap };
    let truth = generator::write(shape, format, &mut out)?;
    eprintln!(
        "{} packets, {} connections, {} leaks, {} bytes",
        truth.packets, truth.flows, truth.leaks, truth.bytes
    );
    Ok(())
}
