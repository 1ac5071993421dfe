//! Durations (`30s`, `15m`, `12h`, `90d`), sizes (`500kB`, `20MB`, `4MiB`) and networks.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use crate::domain::webhook::Rate;

const SPANS: &[(&str, u64)] = &[("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const SIZES: &[(&str, u64)] = &[
    ("B", 1),
    ("kB", 1000),
    ("KB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

fn split(text: &str, units: &[(&str, u64)]) -> Result<u64, String> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let known = || units.iter().map(|(unit, _)| *unit).collect::<Vec<_>>().join(", ");
    let number: u64 =
        digits.parse().map_err(|_| format!("it has to begin with a number and end in one of {}", known()))?;
    let (_, factor) = units
        .iter()
        .find(|(name, _)| *name == unit.trim())
        .ok_or_else(|| format!("the unit has to be one of {}", known()))?;
    number.checked_mul(*factor).ok_or_else(|| "it is too large".to_owned())
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    split(text, SPANS).map(Duration::from_millis)
}

pub(super) fn size(text: &str) -> Result<u64, String> {
    split(text, SIZES)
}

/// So many in a time: `10/s`, `600/m`, `5000/h`.
pub(super) fn rate(text: &str) -> Result<Rate, String> {
    const UNITS: &[(&str, u64)] = &[("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)];
    let parts = text.split_once('/').map(|(count, unit)| (count.trim().parse::<u32>(), unit.trim()));
    let Some((Ok(count @ 1..=10_000), unit)) = parts else {
        return Err("it has to be a number from 1 to 10000, a slash and one of s, m, h, d".to_owned());
    };
    let seconds = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, seconds)| *seconds);
    let seconds = seconds.ok_or("what follows the slash has to be one of s, m, h, d")?;
    Ok(Rate { count, per: Duration::from_secs(seconds) })
}

/// A network, or an address alone.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let net = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    let net = net.map_err(|_| "it is no network such as 192.168.1.0/24".to_owned())?;
    if net.network() == net.addr() {
        return Ok(net);
    }
    Err(format!("bits behind the mask are set; the network is {}", net.trunc()))
}

pub(super) fn shown(span: Duration) -> String {
    let ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let fits = SPANS.iter().rev().find(|(_, factor)| ms >= *factor && ms.is_multiple_of(*factor));
    fits.map_or_else(|| "0s".to_owned(), |(unit, factor)| format!("{}{unit}", ms / factor))
}

pub(super) fn shown_size(size: u64) -> String {
    let fits = SIZES
        .iter()
        .rev()
        .find(|(unit, factor)| size >= *factor && size.is_multiple_of(*factor) && !unit.contains('i'));
    fits.map_or_else(|| "0B".to_owned(), |(unit, factor)| format!("{}{unit}", size / factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_are_a_number_and_a_unit() {
        for (text, ms) in
            [("30s", 30_000), ("15m", 900_000), ("12h", 43_200_000), ("90d", 7_776_000_000), ("5 s", 5000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for (text, bytes) in [("20MB", 20_000_000), ("500kB", 500_000), ("4MiB", 4 << 20), ("7B", 7)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for bad in ["", "30", "s", "-5s", "1.5h", "5parsecs", "99999999999999999999d"] {
            assert!(duration(bad).is_err() && size(bad).is_err(), "{bad}");
        }
        assert_eq!((shown(Duration::from_secs(900)), shown_size(10_000_000)), ("15m".to_owned(), "10MB".to_owned()));
    }

    #[test]
    fn a_rate_is_a_number_in_a_time() {
        for (text, count, seconds) in [("10/s", 10, 1), ("600/m", 600, 60), ("1 / h", 1, 3600), ("9/d", 9, 86_400)] {
            assert_eq!(rate(text), Ok(Rate { count, per: Duration::from_secs(seconds) }), "{text}");
        }
        for bad in ["", "10", "0/s", "-1/s", "1.5/s", "10/", "10/ms", "10/2s", "10001/s", "/s"] {
            assert!(rate(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_network_has_no_bits_behind_its_mask() {
        assert!(network("192.168.1.0/24").is_ok() && network("::1").is_ok() && network("10.0.0.7").is_ok());
        assert!(network("192.168.1.7/24").unwrap_err().contains("192.168.1.0/24"));
        assert!(network("home").is_err());
    }
}
