//! Reports in Chinese: where they are asked for, and nowhere else.

mod common;

use common::{Scratch, command, text};

const CAPTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/captures/pair/leaky.pcap");

/// One socket in CLOSE-WAIT, as ss prints it.
const LIST: &str = "State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n\
    CLOSE-WAIT 1 0 172.18.0.5:30000 172.18.0.3:3306 users:((\"orders\",pid=77,fd=5))\n";

/// What the binary prints where these are the only locales.
fn printed(args: &[&str], locales: &[(&str, &str)]) -> String {
    let mut command = command(args);
    for name in ["LC_ALL", "LC_MESSAGES", "LC_CTYPE", "LANG"] {
        command.env_remove(name);
    }
    let output = command.envs(locales.iter().copied()).output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(1), "{}", text(&output).1);
    text(&output).0
}

fn is_chinese(text: &str) -> bool {
    text.contains('。') && text.contains("持有")
}

#[test]
fn the_locale_or_the_option_decides() {
    let chinese = [("LANG", "zh_CN.UTF-8")];
    assert!(is_chinese(&printed(&[CAPTURE], &chinese)));
    assert!(is_chinese(&printed(&[CAPTURE], &[("LC_ALL", "zh_TW.utf8"), ("LANG", "en_US.UTF-8")])));
    assert!(is_chinese(&printed(&[CAPTURE, "--lang", "zh"], &[])));
    assert!(is_chinese(&printed(&[CAPTURE, "--lang", "zh"], &[("LC_ALL", "C")])));
    let english = printed(&[CAPTURE], &[]);
    assert!(!is_chinese(&english) && english.contains("left in CLOSE-WAIT"), "{english}");
    assert_eq!(printed(&[CAPTURE, "--lang", "en"], &chinese), english);
    assert_eq!(printed(&[CAPTURE], &[("LC_ALL", "en_US.UTF-8"), ("LANG", "zh_CN.UTF-8")]), english);
    // A terminal that has no Chinese.
    let ascii = printed(&[CAPTURE], &[("LC_CTYPE", "C"), ("LANG", "zh_CN.UTF-8")]);
    assert!(ascii.is_ascii(), "{ascii}");
}

#[test]
fn programs_are_spoken_to_in_english_everywhere() {
    let chinese = [("LC_ALL", "zh_CN.UTF-8")];
    let mut forms: Vec<Vec<&str>> =
        ["jsonl", "csv", "html"].map(|format| vec![CAPTURE, "--format", format]).to_vec();
    // Without what is expected of it.
    let scratch = Scratch::new();
    let alone = scratch.write("x.pcap", &std::fs::read(CAPTURE).expect("a fixture"));
    let kinds = ["text", "jsonl", "github", "sarif", "gitlab"];
    forms.extend(kinds.map(|format| vec!["check", &alone, "--format", format]));
    for args in forms {
        assert_eq!(printed(&args, &chinese), printed(&args, &[]), "{args:?}");
    }
}

#[test]
fn sockets_speak_it_too() {
    let scratch = Scratch::new();
    let list = scratch.write("list", LIST.as_bytes());
    let chinese = printed(&["sockets", &list, "--all", "--lang", "zh"], &[]);
    assert!(chinese.contains("1 个套接字处于 CLOSE-WAIT") && chinese.contains("本端"), "{chinese}");
    let lines = ["sockets", &list, "--format", "jsonl"];
    assert_eq!(printed(&lines, &[("LANG", "zh_CN.UTF-8")]), printed(&lines, &[]));
}

#[test]
fn a_word_is_explained_by_either_name() {
    let said = |args: &[&str]| text(&command(args).output().expect("the binary runs")).0;
    let leak = said(&["explain", "leak", "--lang", "zh"]);
    assert!(leak.starts_with("leak 泄漏（结论）") && leak.contains("对端"), "{leak}");
    assert_eq!(said(&["explain", "泄漏"]), leak);
    assert_eq!(said(&["help", "泄漏"]), leak);
    assert!(said(&["explain", "--lang", "en", "leak"]).starts_with("leak (verdict)"));
}
