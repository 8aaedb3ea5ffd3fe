//! What is installed and handed out is what the binary understands: each file of `.dist` as it lies there.

mod common;

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use common::{
    BINARY, Need, ROOT, Scratch, assert_understood, commands, is_root, lacks, project, skip, text,
    tool,
};
use yaml_rust2::{Yaml, YamlLoader};

fn file(path: &str) -> String {
    fs::read_to_string(project(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn yaml(path: &str) -> Yaml {
    let mut documents =
        YamlLoader::load_from_str(&file(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    assert_eq!(documents.len(), 1, "{path}");
    documents.remove(0)
}

/// The words of a list.
fn words(list: &Yaml) -> Vec<&str> {
    list.as_vec().expect("a list").iter().map(|word| word.as_str().expect("a word")).collect()
}

/// The values of a key in a unit.
fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    let value = |line: &'a str| line.strip_prefix(key)?.strip_prefix('=');
    unit.lines().filter_map(value).collect()
}

/// The line of the default file that sets the arguments, and the arguments.
fn default_args() -> (String, String) {
    let file = file(".dist/closewait.default");
    let line = file.lines().find(|line| line.starts_with("CLOSEWAIT_ARGS=")).expect("a line");
    let args = line["CLOSEWAIT_ARGS=".len()..].trim_matches('"');
    (line.to_owned(), args.to_owned())
}

#[test]
fn the_service_is_started_with_arguments_that_are_understood() {
    let unit = file(".dist/closewait.service");
    let [start] = values(&unit, "ExecStart")[..] else { panic!("one command") };
    let start = start.strip_prefix("/usr/bin/").expect("where the package puts it");
    assert_eq!(values(&unit, "EnvironmentFile"), ["-/etc/default/closewait"]);
    assert_understood(&start.replace("$CLOSEWAIT_ARGS", ""));
    assert_understood(&start.replace("$CLOSEWAIT_ARGS", &default_args().1));
}

/// Every line of the unit, as systemd reads it.
#[test]
fn systemd_understands_the_unit() {
    const SYSTEMD: Need = ("systemd", "systemd-analyze", &["--version"]);
    if let Some(missing) = lacks(&[SYSTEMD]) {
        return skip(missing);
    }
    let scratch = Scratch::new();
    // The package installs the program; here it is elsewhere.
    let unit = file(".dist/closewait.service").replace("/usr/bin/closewait", BINARY);
    let path = scratch.write("closewait.service", unit.as_bytes());
    let verify = ["verify", "--man=no", "--recursive-errors=no", &path];
    let output = tool("systemd-analyze").args(verify).output().expect("it runs");
    let (_, err) = text(&output);
    assert!(output.status.success() && !err.contains("closewait.service:"), "{err}");
}

/// The events of a day go aside, and the file that the program has open is empty.
#[test]
fn the_events_are_rotated() {
    const LOGROTATE: Need = ("logrotate", "logrotate", &["--version"]);
    if let Some(missing) = lacks(&[ROOT, LOGROTATE]) {
        return skip(missing);
    }
    let scratch = Scratch::new();
    let log = scratch.write("closewait.jsonl", b"{}\n");
    let rules = file(".dist/closewait.logrotate").replace("/var/log/closewait.jsonl", &log);
    let rules = scratch.write("rules", rules.as_bytes());
    let state = scratch.path().join("state");
    let output = tool("logrotate")
        .arg("--state")
        .arg(state)
        .args(["--force", &rules])
        .output()
        .expect("it runs");
    assert!(output.status.success() && output.stderr.is_empty(), "{}", text(&output).1);
    let kept = fs::read_to_string(format!("{log}.1")).expect("the day before");
    assert_eq!((kept.as_str(), fs::read(&log).expect("it stays").len()), ("{}\n", 0));
}

#[test]
fn a_finding_is_no_failure_and_a_reload_asks_for_the_report() {
    let unit = file(".dist/closewait.service");
    assert_eq!(values(&unit, "SuccessExitStatus"), ["1"]);
    assert!(values(&unit, "ExecReload")[0].contains("kill -USR1"));
    // The process that looks up sockets must outlive the last report.
    assert_eq!(values(&unit, "KillMode"), ["mixed"]);
    // What it may not get at all, it cannot have.
    assert_eq!(values(&unit, "AmbientCapabilities"), values(&unit, "CapabilityBoundingSet"));
}

#[test]
fn the_manual_shows_what_is_installed() {
    assert!(file("src/manual/service.md").contains(&default_args().0), "the default file's line");
    let sysusers = file(".dist/closewait.sysusers");
    let user = values(&file(".dist/closewait.service"), "User").join(" ");
    assert!(sysusers.lines().any(|line| line.starts_with(&format!("u {user} "))), "{user}");
}

#[test]
fn a_node_needs_the_same_capabilities_and_arguments_that_are_understood() {
    let manifest = yaml(".dist/daemonset.yaml");
    let pod = &manifest["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    let context = &container["securityContext"];
    let added = words(&context["capabilities"]["add"]);
    for capability in values(&file(".dist/closewait.service"), "AmbientCapabilities")[0].split(' ')
    {
        let name = capability.strip_prefix("CAP_").expect("a capability");
        assert!(added.contains(&name), "{name}");
    }
    assert_eq!(words(&context["capabilities"]["drop"]), ["ALL"]);
    assert_eq!(context["privileged"].as_bool(), Some(false));
    assert_eq!((pod["hostNetwork"].as_bool(), pod["hostPID"].as_bool()), (Some(true), Some(true)));
    let labels = &manifest["spec"]["template"]["metadata"]["labels"];
    assert_eq!(&manifest["spec"]["selector"]["matchLabels"], labels);
    let args = words(&container["args"]).join(" ").replace("$(NODE_IP)", "192.0.2.1");
    assert_understood(&format!("closewait {args}"));
    let port = container["ports"][0]["containerPort"].as_i64().expect("a port");
    assert!(args.contains(&format!("192.0.2.1:{port} ")), "{args}");
    let entry = file(".dist/Dockerfile");
    assert!(entry.contains("ENTRYPOINT [\"/usr/bin/closewait\"]"), "the arguments follow it");
}

/// A script, as a shell reads it without running it.
fn assert_parses(shell: &str, script: &str) {
    let scratch = Scratch::new();
    let path = scratch.write("script", script.as_bytes());
    let output = Command::new(shell).args(["-n", &path]).output().expect("a shell");
    assert!(output.status.success(), "{}\n{script}", text(&output).1);
}

/// The scripts of a recipe.
fn recipes() -> [(&'static str, Vec<String>); 3] {
    let github = yaml(".dist/github.yml");
    let steps = github["jobs"]["test"]["steps"].as_vec().expect("steps");
    let runs = steps.iter().filter_map(|step| step["run"].as_str().map(Into::into)).collect();
    let gitlab = yaml(".dist/gitlab-ci.yml");
    let lists = ["before_script", "script"].map(|key| words(&gitlab["test"][key]).join("\n"));
    let jenkins = file(".dist/Jenkinsfile");
    let quoted = jenkins.split("'''").skip(1).step_by(2).map(Into::into).collect();
    [
        (".dist/github.yml", runs),
        (".dist/gitlab-ci.yml", lists.to_vec()),
        (".dist/Jenkinsfile", quoted),
    ]
}

#[test]
fn every_recipe_captures_and_checks_what_it_captured() {
    let manifest = file("Cargo.toml");
    let installed = "/usr/share/closewait/capture.sh";
    assert!(manifest.contains(r#"[".dist/capture.sh", "usr/share/closewait/", "755"]"#));
    for (name, scripts) in recipes() {
        let all = scripts.concat();
        let checks: Vec<String> = scripts.iter().flat_map(|script| commands(script)).collect();
        assert_eq!(checks.len(), 1, "{name}: {checks:?}");
        assert_understood(&checks[0]);
        assert!(checks[0].contains(" check ") && checks[0].ends_with(" test.pcap"), "{name}");
        assert!(all.contains(&format!("{installed} test.pcap ")), "{name}: {all}");
        scripts.iter().for_each(|script| assert_parses("sh", script));
    }
}

#[test]
fn packages_are_named_after_the_version() {
    let package = format!("closewait_{}-1_amd64.deb", env!("CARGO_PKG_VERSION"));
    for (name, scripts) in recipes() {
        assert!(scripts.concat().contains(&package), "{name}: {package}");
    }
    assert!(file("src/manual/service.md").contains(&package));
}

#[test]
fn the_base_of_kustomize_is_beside_the_manifest() {
    let base = yaml(".dist/kustomization.yaml");
    let image = yaml(".dist/daemonset.yaml")["spec"]["template"]["spec"]["containers"][0]["image"]
        .as_str()
        .map(str::to_owned)
        .expect("an image");
    for resource in words(&base["resources"]) {
        assert!(project(".dist").join(resource).exists(), "{resource}");
    }
    let version = env!("CARGO_PKG_VERSION");
    let named = &base["images"][0];
    assert_eq!(named["newTag"].as_str(), Some(version));
    assert_eq!(image, format!("{}:{version}", named["name"].as_str().expect("a name")));
}

/// Its steps are a shell's, it captures with the installed script, and hands its inputs on as they are.
#[test]
fn the_action_captures_and_checks() {
    let action = yaml(".dist/action/action.yml");
    assert_eq!(action["runs"]["using"].as_str(), Some("composite"));
    let steps = action["runs"]["steps"].as_vec().expect("steps");
    let scripts: Vec<&str> = steps.iter().filter_map(|step| step["run"].as_str()).collect();
    assert_eq!(scripts.len(), steps.len(), "each runs something");
    for (step, script) in steps.iter().zip(&scripts) {
        assert_parses("bash", script);
        // An input in a script would be obeyed as one: it comes by the environment.
        assert!(!script.contains("${{"), "{script}");
        for (name, value) in step["env"].as_hash().expect("the inputs") {
            let name = name.as_str().expect("a name");
            let input = value.as_str().expect("a value").trim_matches(['$', '{', '}', ' ']);
            let input = input.strip_prefix("inputs.").expect("an input");
            assert!(!action["inputs"][input].is_badvalue(), "{input}");
            assert!(script.contains(&format!("${name}")) || name == "FILTER", "{name}: {script}");
        }
    }
    assert!(scripts[0].starts_with("/usr/share/closewait/capture.sh test.pcap "), "{scripts:?}");
    let check = commands(scripts[1]);
    assert_understood(&check[0].replace("$OPTIONS", "--local 10.0.0.5"));
}

/// What a package installs is in the tree, and the other kind of package installs it, too.
#[test]
fn both_kinds_of_package_hold_the_same() {
    let (manifest, spec) = (file("Cargo.toml"), file(".dist/closewait.spec"));
    let deb = manifest.split("assets = [").nth(1).expect("the assets of the .deb");
    let mut count = 0;
    for asset in deb.lines().filter_map(|line| line.trim().strip_prefix("[\"")) {
        let source = asset.split('"').next().expect("a path");
        let name = source.rsplit('/').next().expect("a name");
        assert!(spec.contains(name) || spec.contains("%{folder}/manual/*"), "{name}");
        let is_built = source.starts_with("target/") || source.contains('*');
        assert!(is_built || project(source).exists(), "{source}");
        count += 1;
    }
    assert!(count > 15, "{count}");
    for line in spec.lines().filter(|line| line.contains("%{folder}/closewait.")) {
        let name = line.split("%{folder}/").nth(1).and_then(|rest| rest.split(' ').next());
        let name = name.expect("a file");
        assert!(deb.contains(name) || name == "closewait.service", "{name}");
    }
}

/// A page for every command, with all its options, and completions that a shell can read.
#[test]
fn every_command_has_a_man_page_and_is_completed() {
    let scratch = Scratch::new();
    let pages = Path::new(common::BINARY).with_file_name("examples").join("pages");
    let made = Command::new(pages).arg(scratch.path()).status().expect("cargo builds examples");
    assert!(made.success());
    let made = |path: &str| fs::read_to_string(scratch.path().join(path)).expect(path);
    let bash = made("completions/closewait.bash");
    let grammar = closewait::cli::grammar();
    let shown = grammar.get_subcommands().filter(|command| !command.is_hide_set());
    let commands: Vec<&str> = shown.map(|command| command.get_name()).collect();
    assert!(commands.len() > 4, "{commands:?}");
    for command in commands {
        assert!(made(&format!("man/closewait-{command}.1")).contains(".SH SYNOPSIS"), "{command}");
        assert!(bash.contains(&format!("closewait,{command})")), "{command}");
    }
    // The first page of `--help` is short; this one is whole.
    let page = made("man/closewait.1");
    assert!(page.contains(".TH closewait 1") && page.contains("half\\-close\\-quiet"), "{page}");
    assert_parses("bash", &bash);
    for name in ["closewait.bash", "_closewait", "closewait.fish"] {
        let completions = made(&format!("completions/{name}"));
        assert!(completions.contains("sockets") && completions.contains("max-held"), "{name}");
        // The program starts itself by these.
        assert!(!completions.contains("keeper") && !completions.contains("lookup"), "{name}");
    }
    assert!(made("completions/_closewait").starts_with("#compdef closewait"));
    assert!(made("completions/closewait.fish").contains("complete -c closewait"));
}

/// The binary takes both examples, and holds a capture against them.
#[test]
fn the_examples_of_expectations_are_accepted() {
    let scratch = Scratch::new();
    let capture = fs::read(project("fixtures/captures/pair/fixed.pcap")).expect("the fixture");
    scratch.write("x.pcap", &capture);
    let check = || {
        let output = common::command(&["check", "x.pcap"])
            .current_dir(scratch.path())
            .output()
            .expect("it runs");
        (output.status.code(), text(&output).0)
    };
    scratch.write("closewait.toml", file(".dist/closewait.toml").as_bytes());
    assert_eq!(check(), (Some(0), "ok      x.pcap  1 connection\n1 capture: 1 ok (held for less than 1.0 s is pending: --min-hold)\n".into()));
    // Another capture is expected, and that is what it says: nothing of an unknown key.
    scratch.write("x.expect.toml", file(".dist/example.expect.toml").as_bytes());
    let (status, out) = check();
    assert_eq!(status, Some(1), "{out}");
    assert!(out.contains("closed: expected at least 10, found 1"), "{out}");
}

/// A client that forgets its socket while the script captures; the script ends as its command does.
#[test]
fn the_script_captures_what_a_command_leaves_behind() {
    assert_parses("bash", &file(".dist/capture.sh"));
    if Command::new("tcpdump").arg("--version").output().is_err() {
        return skip("tcpdump");
    }
    if !is_root() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let server = std::thread::spawn(move || drop(listener.accept()));
    let scratch = Scratch::new();
    let leak =
        format!("(exec 3<>/dev/tcp/127.0.0.1/{port}; sleep 5) >/dev/null 2>&1 & sleep 0.2; exit 7");
    let output = Command::new(project(".dist/capture.sh"))
        .args(["x.pcap", "bash", "-c", &leak])
        .env("FILTER", format!("tcp port {port}"))
        .env("SETTLE", "1")
        .current_dir(scratch.path())
        .output()
        .expect("the script runs");
    server.join().expect("a client");
    assert_eq!(output.status.code(), Some(7), "{}", text(&output).1);
    let path = scratch.path().join("x.pcap");
    let path = path.to_str().expect("UTF-8");
    let checked = common::closewait(&["check", "--min-hold", "500ms", path]);
    let (out, err) = text(&checked);
    assert_eq!(checked.status.code(), Some(1), "{out}{err}");
    assert!(out.contains("leak: expected at most 0, found 1"), "{out}");
    let usage = Command::new(project(".dist/capture.sh")).arg("x.pcap").output().expect("it runs");
    assert_eq!(usage.status.code(), Some(2));
}
