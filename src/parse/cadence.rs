//! What a document says of how often it should be asked for: `ttl`, `skipHours` and `skipDays` (RSS 2.0), and the syndication
//! module of RSS 1.0.

use crate::domain::feed::Cadence;

/// What a channel says, as its elements come in. Of two that say the same the first counts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Said {
    ttl: Option<u32>,
    hours: u32,
    days: u8,
    period: Option<u32>,
    frequency: Option<u32>,
}

impl Said {
    /// `<ttl>`: minutes. Junk, nothing and less say nothing.
    pub(super) fn ttl(&mut self, text: &str) {
        self.ttl = self.ttl.or_else(|| number(text).filter(|minutes| *minutes > 0));
    }

    /// `<hour>` of `<skipHours>`: 0 to 23 GMT. RSS 0.91 counted from 1, so 24 stands for 0.
    pub(super) fn hour(&mut self, text: &str) {
        if let Some(hour) = number(text).filter(|hour| *hour <= 24) {
            self.hours |= 1 << (hour % 24);
        }
    }

    /// `<day>` of `<skipDays>`: its English name.
    pub(super) fn day(&mut self, text: &str) {
        const NAMES: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
        let text = text.trim();
        let named = |name: &&str| {
            name.eq_ignore_ascii_case(text) || name.get(..3).is_some_and(|short| short.eq_ignore_ascii_case(text))
        };
        if let Some(day) = NAMES.iter().position(named) {
            self.days |= 1 << day;
        }
    }

    /// `sy:updatePeriod`.
    pub(super) fn period(&mut self, text: &str) {
        const DAY: u32 = 86_400;
        let seconds = match text.trim().to_ascii_lowercase().as_str() {
            "hourly" => 3600,
            "daily" => DAY,
            "weekly" => 7 * DAY,
            "monthly" => 30 * DAY,
            "yearly" => 365 * DAY,
            _ => return,
        };
        self.period = self.period.or(Some(seconds));
    }

    /// `sy:updateFrequency`: how many times in the period.
    pub(super) fn frequency(&mut self, text: &str) {
        self.frequency = self.frequency.or_else(|| number(text).filter(|times| *times > 0));
    }

    /// All of it together. The module's defaults are daily, and once.
    pub(super) fn finish(self) -> Cadence {
        let period = self.period.or_else(|| self.frequency.map(|_| 86_400));
        Cadence {
            ttl_minutes: self.ttl,
            skip_hours: self.hours,
            skip_days: self.days,
            update_period_s: period.map(|period| (period / self.frequency.unwrap_or(1)).max(1)),
            ..Cadence::default()
        }
    }
}

/// Digits and nothing else; what is beyond all bounds is very much.
fn number(text: &str) -> Option<u32> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(read: fn(&mut Said, &str), texts: &[&str]) -> Cadence {
        let mut said = Said::default();
        texts.iter().for_each(|text| read(&mut said, text));
        said.finish()
    }

    #[test]
    fn values_are_read_and_junk_says_nothing() {
        for (texts, minutes) in [
            (&["60"][..], Some(60)),
            (&[" 60\n"], Some(60)),
            (&["0"], None),
            (&["-5"], None),
            (&["+5"], None),
            (&["1.5"], None),
            (&["60 min"], None),
            (&[""], None),
            (&["junk", "30", "60"], Some(30)),
            (&["99999999999999999999"], Some(u32::MAX)),
        ] {
            assert_eq!(values(Said::ttl, texts).ttl_minutes, minutes, "{texts:?}");
        }
        let hours = values(Said::hour, &["0", " 7 ", "23", "25", "-1", "noon", "07", ""]).skip_hours;
        assert_eq!(hours, 1 | 1 << 7 | 1 << 23);
        assert_eq!(values(Said::hour, &["24"]).skip_hours, 1, "24 is midnight");
        let days = values(Said::day, &["Monday", "SATURDAY", " sun ", "Montag", "", "mo", "8"]).skip_days;
        assert_eq!(days, 1 | 1 << 5 | 1 << 6);
    }

    #[test]
    fn the_period_is_divided_by_the_frequency() {
        for (period, frequency, seconds) in [
            (Some("hourly"), None, Some(3600)),
            (Some("hourly"), Some("1"), Some(3600)),
            (Some(" Daily "), Some("4"), Some(21_600)),
            (Some("weekly"), None, Some(604_800)),
            (Some("monthly"), None, Some(2_592_000)),
            (Some("yearly"), Some("0"), Some(31_536_000)),
            (Some("hourly"), Some("999999999999"), Some(1)),
            (None, Some("2"), Some(43_200)),
            (Some("sometimes"), None, None),
            (Some("daily"), Some("-2"), Some(86_400)),
            (None, None, None),
        ] {
            let mut said = Said::default();
            period.into_iter().for_each(|text| said.period(text));
            frequency.into_iter().for_each(|text| said.frequency(text));
            assert_eq!(said.finish().update_period_s, seconds, "{period:?} {frequency:?}");
        }
    }
}
