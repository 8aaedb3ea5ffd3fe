//! Words for how fast something grows.

use crate::report::lang::Lang;
use crate::units::thousands;

/// Below it tenths matter.
const TENTHS: f64 = 10.0;

/// The least that tenths show.
pub const LEAST: f64 = 0.1;

/// `, 600 a minute`, `, 1.5 a minute`, `, 1.0 an hour`: in the unit that shows it; nothing where none does.
pub fn pace(per_minute: f64, lang: Lang) -> String {
    words(per_minute, "", lang)
}

/// Words for a rate that may fall: with its sign.
pub fn signed_pace(per_minute: f64, lang: Lang) -> String {
    words(per_minute, if per_minute < 0.0 { "-" } else { "+" }, lang)
}

fn words(per_minute: f64, sign: &str, lang: Lang) -> String {
    let (rate, an_hour) = (per_minute.abs(), per_minute.abs() * 60.0);
    match rate {
        TENTHS.. => lang.a_minute(format!("{sign}{}", thousands(rate.round() as u64))),
        LEAST.. => lang.a_minute(format!("{sign}{rate:.1}")),
        _ if an_hour >= LEAST => lang.an_hour(format!("{sign}{an_hour:.1}")),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_told_in_the_unit_that_shows_it() {
        let told = |rate| pace(rate, Lang::English);
        assert_eq!(told(1_234.4), ", 1,234 a minute");
        assert_eq!(told(1.5), ", 1.5 a minute");
        assert_eq!(told(1.0 / 60.0), ", 1.0 an hour");
        assert_eq!(told(1.0 / 1_440.0), "");
        assert_eq!(signed_pace(-1.0 / 60.0, Lang::English), ", -1.0 an hour");
        assert_eq!(signed_pace(12.0, Lang::English), ", +12 a minute");
    }
}
