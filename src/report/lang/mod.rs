//! The language of a report that a person reads: English, or Chinese where the locale or `--lang` asks for it.
//!
//! Each sentence stands once, in both languages side by side, in `phrases`; the words of a judgement in
//! `words`. They are format strings in a table: the compiler holds both against what fills them, so that
//! none can be missing, and there is nothing to load, or to fail, when a report is written. (Fluent would
//! bring a parser, files, and keys that are looked up at run time, for the grammar of two languages.)
//!
//! Only what `sockets`, `live`, the report of a capture and `explain WORD` print as text is translated. JSON,
//! CSV, pages and what `check` prints are for machines and tickets, and stay as they are. Whoever knows a
//! verdict, a doubt or a cause by one name gets the other from `explain`.

mod phrases;
mod words;

pub(super) use words::Named;

use crate::units;

/// A language that reports are written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lang {
    /// English, wherever nothing else is asked for.
    #[default]
    English,
    /// Simplified Chinese.
    Chinese,
}

impl Lang {
    /// Returns the language of a locale such as `zh_CN.UTF-8`.
    #[must_use]
    pub fn of_locale(locale: &str) -> Lang {
        let language = locale.split(['_', '-', '.', '@']).next().unwrap_or_default();
        if language.eq_ignore_ascii_case("zh") { Lang::Chinese } else { Lang::English }
    }

    /// Counts things: `2 connections`, `2 条连接`.
    #[must_use]
    pub fn count(self, n: u64, thing: Thing) -> String {
        match self {
            Lang::English => units::count(n, thing.words().0),
            Lang::Chinese => thing.words().1.replace("{n}", &units::thousands(n)),
        }
    }

    /// Names in a row, and how many of all there are besides: `a, b and 2 more`.
    #[must_use]
    pub fn some_of(self, names: &[String], all: u64) -> String {
        let more = match all - names.len() as u64 {
            0 => String::new(),
            more => self.and_more(units::thousands(more)),
        };
        names.join(&self.comma()) + &more
    }
}

/// Declares what is counted: one of them in English, some in Chinese with the word that counts them.
macro_rules! things {
    ($($(#[$doc:meta])* $name:ident: $english:literal => $chinese:literal;)*) => {
        /// A thing that reports count.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Thing { $($(#[$doc])* $name),* }

        impl Thing {
            #[cfg(test)]
            const ALL: &[Thing] = &[$(Thing::$name),*];

            fn words(self) -> (&'static str, &'static str) {
                match self { $(Thing::$name => ($english, $chinese)),* }
            }
        }
    };
}

things! {
    /// One TCP connection.
    Connection: "connection" => "{n} 条连接";
    /// A socket in the kernel's list.
    Socket: "socket" => "{n} 个套接字";
    /// A socket below those that are listed.
    MoreSocket: "more socket" => "另外 {n} 个套接字";
    /// A packet of a capture.
    Packet: "packet" => "{n} 个数据包";
    /// A host, by its address.
    Host: "host" => "{n} 台主机";
    /// A file, or standard input.
    Input: "input" => "{n} 个输入";
    /// A group of findings that are alike.
    Group: "group" => "{n} 组";
    /// A group below those that are listed.
    MoreGroup: "more group" => "另外 {n} 组";
    /// An address and port that clients connect to.
    Service: "service" => "{n} 个服务";
    /// A service below those that are listed.
    MoreService: "more service" => "另外 {n} 个服务";
    /// The other end of connections.
    Peer: "peer" => "{n} 个对端";
    /// A capture below those that are listed.
    MoreCapture: "more capture" => "另外 {n} 份抓包";
    /// A kind of packets below those that are listed.
    MoreKind: "more kind" => "另外 {n} 种";
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr;

    use super::*;

    #[test]
    fn a_locale_has_a_language() {
        let chinese = ["zh_CN.UTF-8", "zh", "zh-TW", "zh_HK.utf8", "ZH_cn"];
        assert!(chinese.iter().all(|locale| Lang::of_locale(locale) == Lang::Chinese));
        let english = ["", "C", "en_US.UTF-8", "zha_CN", "de_DE@euro"];
        assert!(english.iter().all(|locale| Lang::of_locale(locale) == Lang::English));
    }

    #[test]
    fn things_are_counted_in_both_languages() {
        assert_eq!(Lang::English.count(1, Thing::Connection), "1 connection");
        assert_eq!(Lang::Chinese.count(1_234, Thing::Connection), "1,234 条连接");
        for thing in Thing::ALL {
            let chinese = Lang::Chinese.count(2, *thing);
            assert!(
                chinese.contains('2') && chinese.width() > chinese.chars().count(),
                "{chinese}"
            );
        }
    }
}
