//! A program's own functions among those of libraries, by their names.

/// Returns the package of a Go function: `example.com/shop/db` of `example.com/shop/db.(*Repo).Begin`.
#[must_use]
pub fn go_package(function: &str) -> &str {
    // What a function is made for may have slashes.
    let name = function.split('[').next().unwrap_or(function);
    let last = name.rfind('/').map_or(0, |slash| slash + 1);
    let dot = name.get(last..).and_then(|rest| rest.find('.'));
    dot.and_then(|dot| name.get(..last + dot)).unwrap_or(name)
}

/// Returns whether a Go function is of package main, or of the main module.
#[must_use]
pub fn is_own_go(function: &str, module: Option<&str>) -> bool {
    let package = go_package(function);
    let is_of = |module: &str| {
        package.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    package == "main" || module.is_some_and(is_of)
}

/// Returns a Go function's name as its source has it: the linker writes a dot in a package's last name
/// as `%2e`.
#[must_use]
pub fn go_name(function: &str) -> String {
    function.replace("%2e", ".")
}

/// Folders of what compilers, package managers and systems bring along.
const FOREIGN_FOLDERS: [&str; 6] =
    ["/rustc/", "/.cargo/registry/", "/.cargo/git/", "/rustlib/", "/usr/include/", "/usr/lib/"];

/// Beginnings of functions of the languages' own libraries, where a program has them in itself.
const FOREIGN_NAMES: [&str; 9] =
    ["std::", "core::", "alloc::", "__", "_start", "boost::", "_dl_", "rust_", "_IO_"];

/// Functions of the C library that ask the kernel: a program can have them in itself.
const OF_C: [&str; 16] = [
    "send",
    "sendto",
    "sendmsg",
    "sendmmsg",
    "write",
    "writev",
    "sendfile",
    "splice",
    "connect",
    "recv",
    "recvfrom",
    "recvmsg",
    "read",
    "readv",
    "clone",
    "start_thread",
];

/// Returns whether a function in a program's own file is the program's: not of the language's library, nor
/// of a package. Without a file, of Rust's only the crate of `main` is surely its own.
#[must_use]
pub fn is_own_native(function: &str, file: Option<&str>, main_crate: Option<&str>) -> bool {
    // `<shop::Repo as core::ops::Drop>::drop`
    let name = function.trim_start_matches(['<', '&', '*', '(', '[']);
    let name = name.strip_prefix("mut ").unwrap_or(name);
    let name = name.strip_prefix("dyn ").unwrap_or(name);
    if FOREIGN_NAMES.iter().any(|start| name.starts_with(start)) || OF_C.contains(&name) {
        return false;
    }
    match (file, main_crate) {
        (Some(file), _) if file.starts_with('/') => {
            !FOREIGN_FOLDERS.iter().any(|folder| file.contains(folder))
        }
        (_, Some(own)) => {
            name.strip_prefix(own).is_some_and(|rest| rest.starts_with("::") || rest.is_empty())
        }
        // As the C library's own files are called.
        (Some(file), None) => !file.starts_with("../"),
        (None, None) => true,
    }
}

/// Packages of Java's own library, and of those that stand between a program and its sockets: a map does not say
/// which file a class is from.
const FOREIGN_PACKAGES: [&str; 47] = [
    "java",
    "javax",
    "jdk",
    "sun",
    "com.sun",
    "akka",
    "brave",
    "com.datastax",
    "com.fasterxml",
    "com.google",
    "com.ibm.db2",
    "com.mchange",
    "com.microsoft.sqlserver",
    "com.mongodb",
    "com.mysql",
    "com.rabbitmq",
    "com.zaxxer.hikari",
    "groovy",
    "io.grpc",
    "io.lettuce",
    "io.micrometer",
    "io.netty",
    "io.opentelemetry",
    "io.r2dbc",
    "io.reactivex",
    "io.smallrye",
    "io.undertow",
    "io.vertx",
    "jakarta",
    "kotlin",
    "kotlinx",
    "net.bytebuddy",
    "okhttp3",
    "okio",
    "oracle",
    "org.apache",
    "org.eclipse",
    "org.hibernate",
    "org.jboss",
    "org.jooq",
    "org.mariadb",
    "org.postgresql",
    "org.redisson",
    "org.springframework",
    "reactor",
    "redis.clients",
    "scala",
];

/// A function that a runtime compiled, by the name that it wrote down.
#[derive(Debug, PartialEq, Eq)]
pub struct Compiled<'a> {
    /// The function's name, readable.
    pub function: &'a str,
    /// The source file, as the compiler was given it.
    pub file: Option<&'a str>,
    /// The line in it.
    pub line: Option<u32>,
    /// True for the program's own code: neither of a library nor of the runtime.
    pub own: bool,
}

/// Reads a name as Node, Python or Java write it.
#[must_use]
pub fn compiled(name: &str) -> Compiled<'_> {
    if let Some(rest) = name.strip_prefix("py::") {
        return python(rest);
    }
    let script = ["JS:", "LazyCompile:", "Function:", "Eval:", "Script:", "Interpreted:"];
    match script.iter().find_map(|kind| name.strip_prefix(kind)) {
        Some(rest) => node(rest),
        None => java(name),
    }
}

/// `~charge /srv/leak.js:3:17`
fn node(name: &str) -> Compiled<'_> {
    let name = name.trim_start_matches(['~', '*', '^', '+']);
    let (function, place) = name.split_once(' ').unwrap_or((name, ""));
    let function = if function.is_empty() { "(anonymous)" } else { function };
    let mut parts = place.rsplitn(3, ':');
    let numbers = [parts.next(), parts.next()].map(|part| part.and_then(|part| part.parse().ok()));
    let (file, line) = match (parts.next(), numbers) {
        (Some(file), [_, Some(line)]) => (file, Some(line)),
        _ => place.rsplit_once(':').map_or((place, None), |(file, line)| (file, line.parse().ok())),
    };
    let own = !file.is_empty() && !file.starts_with("node:") && !file.contains("/node_modules/");
    Compiled { function, file: (!file.is_empty()).then_some(file), line, own }
}

/// `charge:/srv/leak.py`
fn python(name: &str) -> Compiled<'_> {
    let (function, file) = name.split_once(':').unwrap_or((name, ""));
    let foreign = ["/site-packages/", "/dist-packages/", "/lib/python"];
    let own = file.starts_with('/') && !foreign.iter().any(|part| file.contains(part));
    Compiled { function, file: (!file.is_empty()).then_some(file), line: None, own }
}

/// `void com.shop.Leak.charge(java.net.Socket)`, as the JDK writes it; `Leak.charge`, or `Lcom/shop/Leak;::charge`.
fn java(name: &str) -> Compiled<'_> {
    let is_mangled = name.contains(";::");
    let function = if is_mangled { name } else { without_types(name) };
    let class = function.strip_prefix('L').filter(|_| is_mangled).unwrap_or(function);
    // `com/shop/Leak`, or `com.shop.Leak`.
    let is_foreign = |package: &str| {
        let same = |(a, b): (char, char)| a == b || a == '/' && b == '.';
        let rest = class.get(package.len()..).unwrap_or_default();
        rest.starts_with(['.', '/']) && class.chars().zip(package.chars()).all(same)
    };
    let is_method =
        is_mangled || function.split_once('.').is_some_and(|(class, _)| !class.is_empty());
    let own = is_method && !FOREIGN_PACKAGES.into_iter().any(is_foreign);
    Compiled { function, file: None, line: None, own }
}

/// A method without what it takes and returns.
fn without_types(name: &str) -> &str {
    let Some((before, _)) = name.split_once('(') else { return name };
    before.rsplit(' ').next().unwrap_or(before)
}

/// Returns whether it stands for any function that a runtime has not compiled.
#[must_use]
pub fn is_interpreter(function: &str) -> bool {
    function == "Interpreter" || function == "Builtin:InterpreterEntryTrampoline"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_code_of_go_is_its_main_module() {
        let module = Some("example.com/shop");
        let own = |function| is_own_go(function, module);
        assert!(own("main.(*MainController).update") && own("main.main.func1"));
        assert!(own("example.com/shop/db.(*Repo).Begin") && own("example.com/shop.Run"));
        assert!(own("example.com/shop/db.Map[github.com/x/y.T]"));
        assert!(!own("example.com/shopping.Run") && !own("database/sql.(*DB).Begin"));
        assert!(!own("github.com/go-sql-driver/mysql.(*mysqlConn).Begin"));
        assert!(!own("runtime.goexit") && !is_own_go("example.com/shop.Run", None));
        assert_eq!(go_name("gopkg.in/yaml%2ev3.Foo"), "gopkg.in/yaml.v3.Foo");
    }

    #[test]
    fn own_code_of_a_program_is_not_its_languages() {
        let c = |function| is_own_native(function, None, None);
        assert!(c("charge") && c("shop::Controller::update") && c("sender"));
        assert!(!c("send") && !c("__libc_start_main") && !c("_start") && !c("std::thread::run"));
        let rust = |function, file| is_own_native(function, file, Some("shop"));
        assert!(rust("shop::charge", None) && rust("<shop::Repo as core::ops::Drop>::drop", None));
        assert!(!rust("shopping::charge", None) && !rust("mysql::Conn::query", None));
        assert!(rust("model::charge", Some("/srv/shop/model/src/lib.rs")));
        assert!(!rust("mysql::query", Some("/root/.cargo/registry/src/x/mysql-26/src/lib.rs")));
        assert!(!rust("<core::option::Option<T>>::map", Some("/rustc/1/library/core/option.rs")));
        assert!(!is_own_native("write_all", Some("../sysdeps/unix/write.c"), None));
        assert!(is_own_native("charge", Some("src/charge.c"), None));
    }

    #[test]
    fn names_of_runtimes_are_read() {
        let is = |name, function, file, line, own| {
            assert_eq!(compiled(name), Compiled { function, file, line, own }, "{name}");
        };
        is("JS:~charge /srv/leak.js:3:17", "charge", Some("/srv/leak.js"), Some(3), true);
        is("LazyCompile:*charge leak.js:3", "charge", Some("leak.js"), Some(3), true);
        is("JS:~connect node:net:1:2", "connect", Some("node:net"), Some(1), false);
        is(
            "JS:^ /srv/node_modules/x.js:1:2",
            "(anonymous)",
            Some("/srv/node_modules/x.js"),
            Some(1),
            false,
        );
        is("py::charge:/srv/leak.py", "charge", Some("/srv/leak.py"), None, true);
        is(
            "py::send:/usr/lib/python3.12/socket.py",
            "send",
            Some("/usr/lib/python3.12/socket.py"),
            None,
            false,
        );
        is("Leak.charge", "Leak.charge", None, None, true);
        is("Lcom/shop/Leak;::charge", "Lcom/shop/Leak;::charge", None, None, true);
        is("java.net.Socket.write", "java.net.Socket.write", None, None, false);
        let jdk = "int sun.nio.ch.FileDispatcherImpl.write0(java.io.FileDescriptor, long, int)";
        is(jdk, "sun.nio.ch.FileDispatcherImpl.write0", None, None, false);
        is("void com.shop.Leak.charge()", "com.shop.Leak.charge", None, None, true);
        let driver = "Lcom/mysql/cj/protocol/a/SimplePacketSender;::send";
        is(driver, driver, None, None, false);
        let netty = "void io.netty.channel.nio.NioEventLoop.run()";
        is(netty, "io.netty.channel.nio.NioEventLoop.run", None, None, false);
        is("void io.nettyshop.Leak.run()", "io.nettyshop.Leak.run", None, None, true);
        is("Interpreter", "Interpreter", None, None, false);
        assert!(is_interpreter("Interpreter") && !is_interpreter("Leak.charge"));
    }
}
