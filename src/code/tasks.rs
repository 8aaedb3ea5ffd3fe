//! Tasks of libraries: whatever carries them out did not ask for them, and some of them send what others asked for.

use super::Frame;

/// Functions of a library.
struct Library {
    name: &'static str,
    /// The beginnings of their names.
    functions: &'static [&'static str],
    /// Their files, or folders, from that of the package on. A compiler that writes lines and nothing else for
    /// debuggers keeps no more of an inlined function's name than its last part.
    files: &'static [&'static str],
}

/// Libraries that carry out tasks, one after the other.
const RUNNERS: [Library; 8] = [
    Library {
        name: "tokio",
        functions: &[
            "tokio::runtime::blocking::",
            "tokio::runtime::context::",
            "tokio::runtime::park::",
            "tokio::runtime::runtime::",
            "tokio::runtime::scheduler::",
            "tokio::runtime::task::",
        ],
        files: &[
            "tokio/src/runtime/blocking/",
            "tokio/src/runtime/context",
            "tokio/src/runtime/park.rs",
            "tokio/src/runtime/runtime.rs",
            "tokio/src/runtime/scheduler/",
            "tokio/src/runtime/task/",
        ],
    },
    Library {
        name: "async-executor",
        functions: &["async_executor::"],
        files: &["async-executor/src/"],
    },
    Library {
        name: "async-std",
        functions: &["async_std::task::"],
        files: &["async-std/src/task/"],
    },
    Library {
        name: "futures-executor",
        functions: &["futures_executor::"],
        files: &["futures-executor/src/"],
    },
    Library { name: "smol", functions: &["smol::"], files: &["smol/src/"] },
    Library { name: "Netty", functions: &["io.netty.util.concurrent."], files: &[] },
    Library {
        name: "Java",
        functions: &["java.util.concurrent.ThreadPoolExecutor", "java.lang.Thread.run"],
        files: &[],
    },
    Library {
        name: "asyncio",
        functions: &[],
        files: &["asyncio/base_events.py", "asyncio/events.py", "asyncio/runners.py"],
    },
];

/// Libraries that send what was handed to them. A program has to carry them out itself, often in a function of its own
/// that does nothing else.
const SENDERS: [Library; 4] = [
    Library {
        name: "hyper",
        functions: &["hyper::client::conn::", "hyper::proto::"],
        files: &["hyper/src/client/conn/", "hyper/src/proto/"],
    },
    Library {
        name: "h2",
        functions: &["h2::client::Connection", "h2::proto::connection::"],
        files: &["h2/src/proto/connection.rs"],
    },
    Library {
        name: "tokio-postgres",
        functions: &["tokio_postgres::connection::"],
        files: &["tokio-postgres/src/connection.rs"],
    },
    Library {
        name: "redis",
        functions: &["redis::aio::multiplexed_connection::PipelineSink"],
        files: &["redis/src/aio/multiplexed_connection.rs"],
    },
];

/// Returns the place of the first function, from the innermost on, that is not the task's: it has the task carried out,
/// or sends for whoever is not on the stack.
#[must_use]
pub fn host(frames: &[Frame]) -> Option<usize> {
    let is_host = |frame: &Frame| library(frame, &RUNNERS).or_else(|| sender(frame)).is_some();
    frames.iter().position(is_host)
}

/// Returns the library of a function that sends what others asked for.
#[must_use]
pub fn sender(frame: &Frame) -> Option<&'static str> {
    library(frame, &SENDERS)
}

fn library(frame: &Frame, libraries: &[Library]) -> Option<&'static str> {
    let function = frame.function.trim_start_matches('<');
    let has = |library: &&Library| {
        let is_by_name = library.functions.iter().any(|start| function.starts_with(start));
        let is_in = |file: &str| library.files.iter().any(|part| is_part_of(file, part));
        is_by_name || frame.file.as_deref().is_some_and(is_in)
    };
    libraries.iter().find(has).map(|library| library.name)
}

/// `/root/.cargo/registry/src/…/tokio-1.47.1/src/runtime/task/core.rs` is part of `tokio/src/runtime/task/`.
fn is_part_of(file: &str, part: &str) -> bool {
    let Some((package, inside)) = part.split_once('/') else { return false };
    let folders = file.match_indices('/').filter_map(|(at, _)| file.get(at + 1..)?.split_once('/'));
    folders
        .into_iter()
        .any(|(folder, rest)| is_version(folder, package) && rest.starts_with(inside))
}

fn is_version(folder: &str, package: &str) -> bool {
    let Some(rest) = folder.strip_prefix(package) else { return false };
    let version = rest.strip_prefix('-');
    rest.is_empty() || version.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str, file: &str) -> Frame {
        let file = (!file.is_empty()).then(|| file.to_owned());
        Frame { function: function.into(), file, line: Some(1), own: false }
    }

    fn is_host(function: &str, file: &str) -> bool {
        host(&[frame(function, file)]).is_some()
    }

    #[test]
    fn what_carries_out_tasks_is_told_from_tasks() {
        assert!(is_host("tokio::runtime::task::core::Core<T,S>::poll", ""));
        assert!(is_host("<tokio::runtime::task::Task as X>::poll", ""));
        assert!(is_host("io.netty.util.concurrent.SingleThreadEventExecutor.runAllTasks", ""));
        assert!(!is_host("tokio::net::tcp::stream::TcpStream::poll_write", ""));
        // Whoever sends waits there for its socket.
        assert!(!is_host("tokio::runtime::io::registration::Registration::poll_io", ""));
        assert!(!is_host("shop::update::{{closure}}", "") && !is_host("runtime.goexit", ""));
        assert!(is_host("_run_once", "/usr/lib/python3.12/asyncio/base_events.py"));
        assert!(!is_host("write", "/usr/lib/python3.12/asyncio/selector_events.py"));
    }

    #[test]
    fn functions_without_their_paths_are_known_by_their_files() {
        let crates = "/root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f";
        let is_host = |file: &str| is_host("poll<shop::main::{async_fn_env#0}>", file);
        assert!(is_host(&format!("{crates}/tokio-1.52.3/src/runtime/task/core.rs")));
        assert!(is_host("/srv/shop/vendor/tokio/src/runtime/task/core.rs"));
        assert!(!is_host(&format!("{crates}/tokio-1.52.3/src/runtime/io/registration.rs")));
        assert!(!is_host(&format!("{crates}/tokio-util-0.7.1/src/runtime/task/core.rs")));
        assert!(!is_host("/srv/tokio/shop/src/main.rs") && !is_host("src/runtime/task/core.rs"));
    }

    /// As a program with hyper 1.10 was seen to send.
    #[test]
    fn whoever_only_carries_out_a_connection_has_not_asked() {
        let hyper = "/root/.cargo/registry/src/x/hyper-1.10.1/src";
        let stack = [
            frame("writev", ""),
            frame(
                "poll_write_vectored",
                "/root/.cargo/registry/src/x/tokio-1.52.3/src/net/tcp/stream.rs",
            ),
            frame("poll_flush<X>", &format!("{hyper}/proto/h1/io.rs")),
            frame("poll<X>", &format!("{hyper}/client/conn/http1.rs")),
            frame("{async_block#0}", "/srv/shop/src/main.rs"),
        ];
        assert_eq!(host(&stack), Some(2));
        assert_eq!(sender(&stack[2]), Some("hyper"));
        let by_symbol =
            "<hyper::client::conn::http1::Connection<T,B> as core::future::Future>::poll";
        assert_eq!(sender(&frame(by_symbol, "")), Some("hyper"));
        let postgres =
            "<tokio_postgres::connection::Connection<S,T> as core::future::Future>::poll";
        assert_eq!(sender(&frame(postgres, "")), Some("tokio-postgres"));
        // It asks by itself, on the caller's stack.
        assert_eq!(sender(&frame("redis::aio::connection::Connection::send", "")), None);
        assert_eq!(host(&stack[4..]), None);
    }
}
