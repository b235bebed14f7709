//! Numbers, durations and sizes as people read them: on the screen, in `status`, in reports.
//!
//! An unknown number is `?` in a picture and `unknown` in a sentence, never zero. What a command
//! line says (`100ms`, `1m30s`) is the command language's: `command::units`.

use super::UnixMs;

/// A number with its thousands kept apart: `12,345`.
#[must_use]
pub fn thousands(number: u64, apart: char) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 * apart.len_utf8());
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(apart);
        }
        text.push(digit);
    }
    text
}

/// `12,345`.
#[must_use]
pub fn count(n: u64) -> String {
    thousands(n, ',')
}

/// `12,345`, or `?` for a number nobody knows.
#[must_use]
pub fn maybe(n: Option<u64>) -> String {
    n.map_or_else(|| "?".into(), count)
}

/// A number in at most five cells: `9,999`, `12.3k`, `1.2M`.
#[must_use]
pub fn short(n: u64) -> String {
    match n {
        0..10_000 => count(n),
        10_000..100_000 => format!("{}.{}k", n / 1000, n % 1000 / 100),
        100_000..1_000_000 => format!("{}k", n / 1000),
        1_000_000..100_000_000 => format!("{}.{}M", n / 1_000_000, n % 1_000_000 / 100_000),
        100_000_000..1_000_000_000 => format!("{}M", n / 1_000_000),
        _ => format!("{}G", n / 1_000_000_000),
    }
}

/// A number in at most `cells` cells (three at least): exact, else ever rougher.
#[must_use]
pub fn within(n: u64, cells: usize) -> String {
    let rough = match n {
        0..1000 => n.to_string(),
        1000..1_000_000 => format!("{}k", n / 1000),
        1_000_000..1_000_000_000 => format!("{}M", n / 1_000_000),
        _ => format!("{}G", n / 1_000_000_000),
    };
    let forms = [count(n), short(n), rough];
    // Only a rough form is ever too long, from a hundred thousand on.
    forms.into_iter().find(|form| form.len() <= cells).unwrap_or_else(|| ">99k".into())
}

/// Bytes: `512 B`, `4.1 MiB`.
#[must_use]
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if n < 1024 {
        return format!("{n} B");
    }
    let mut value = n as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if value < 100.0 {
        format!("{value:.1} {}", UNITS[unit])
    } else {
        format!("{value:.0} {}", UNITS[unit])
    }
}

/// A measured duration: `0.42 s`, `39.6 s`, `0.004 s`.
#[must_use]
pub fn seconds(ms: u64) -> String {
    match ms {
        0..10 => format!("0.00{ms} s"),
        10..10_000 => format!("{}.{:02} s", ms / 1000, ms % 1000 / 10),
        _ => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
    }
}

/// An age that need not tick: `0.4 s`, `12 s`, `3 m 05 s`, `2 h 07 m`.
#[must_use]
pub fn span(ms: u64) -> String {
    let s = ms / 1000;
    match s {
        0..10 => format!("{s}.{} s", ms % 1000 / 100),
        10..60 => format!("{s} s"),
        60..3600 => format!("{} m {:02} s", s / 60, s % 60),
        _ => format!("{} h {:02} m", s / 3600, s % 3600 / 60),
    }
}

/// An age in whole seconds: `0 s`, `12 s`, `3 m 05 s`, `2 h 07 m`.
#[must_use]
pub fn age(since: UnixMs, now: UnixMs) -> String {
    let ms = now.saturating_sub(since);
    if ms < 10_000 { format!("{} s", ms / 1000) } else { span(ms) }
}

/// A time in the largest unit that holds it without a fraction, as command lines write it: `0s`,
/// `100ms`, `90s`.
#[must_use]
pub fn span_exact(ms: u64) -> String {
    match ms {
        0 => "0s".into(),
        _ if ms.is_multiple_of(3_600_000) => format!("{}h", ms / 3_600_000),
        _ if ms.is_multiple_of(60_000) => format!("{}m", ms / 60_000),
        _ if ms.is_multiple_of(1000) => format!("{}s", ms / 1000),
        _ => format!("{ms}ms"),
    }
}

/// Reads a time as command lines write it, in milliseconds; a bare number is seconds, as the
/// original plan's scripts take it (`0.1`). `None` for what is no time, or finer than milliseconds.
#[must_use]
pub fn read_exact(text: &str) -> Option<u64> {
    let time = match text.parse::<f64>() {
        Ok(seconds) => std::time::Duration::try_from_secs_f64(seconds).ok()?,
        Err(_) => humantime::parse_duration(text).ok()?,
    };
    // What is finer is refused: cut off, half a millisecond would mean no pause at all.
    let whole = time.subsec_nanos().is_multiple_of(1_000_000);
    whole.then(|| u64::try_from(time.as_millis()).ok()).flatten()
}

/// How far into something: `0:07`, `12:40`, `1:02:40`.
#[must_use]
pub fn clock(ms: u64) -> String {
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// An uptime that changes once a minute only: `< 1 m`, `12 m`, `3 h 07 m`, `2 d 03 h`.
#[must_use]
pub fn uptime(ms: u64) -> String {
    let minutes = ms / 60_000;
    match minutes {
        0 => "< 1 m".into(),
        1..60 => format!("{minutes} m"),
        60..1440 => format!("{} h {:02} m", minutes / 60, minutes % 60),
        _ => format!("{} d {:02} h", minutes / 1440, minutes % 1440 / 60),
    }
}

/// Messages a second: `0/s`, `4.5/s`, `120/s`, `12.3k/s`.
#[must_use]
pub fn rate(per_second: f64) -> String {
    if !per_second.is_finite() || per_second < 0.0 {
        return "?/s".into();
    }
    if per_second < 0.05 {
        "0/s".into()
    } else if per_second < 10.0 && (per_second - per_second.round()).abs() >= 0.05 {
        format!("{per_second:.1}/s")
    } else {
        format!("{}/s", short(per_second.round() as u64))
    }
}

/// A round trip: `0.31 ms`, `12 ms`, `1.2 s`.
#[must_use]
pub fn round_trip(us: u64) -> String {
    match us {
        0..1000 => format!("0.{:02} ms", us / 10),
        1000..10_000 => format!("{}.{} ms", us / 1000, us % 1000 / 100),
        10_000..1_000_000 => format!("{} ms", us / 1000),
        _ => format!("{}.{} s", us / 1_000_000, us % 1_000_000 / 100_000),
    }
}

/// A moment of the calendar; `None` beyond its end.
#[must_use]
pub fn timestamp(at: UnixMs) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_millisecond(i64::try_from(at).ok()?).ok()
}

/// `2026-11-24 17:05:12.250 UTC`.
#[must_use]
pub fn moment(at: UnixMs) -> String {
    timestamp(at).map_or_else(
        || format!("{at} ms"),
        |at| at.strftime("%Y-%m-%d %H:%M:%S%.3f UTC").to_string(),
    )
}

/// Seconds since another moment: `+12.3 s`.
#[must_use]
pub fn after(at: UnixMs, start: UnixMs) -> String {
    if at < start { format!("−{}", took(start - at)) } else { format!("+{}", took(at - start)) }
}

/// A span of milliseconds: `850 ms`, `12.3 s`, `2 min 5 s`.
#[must_use]
pub fn took(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..120_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        _ => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1000),
    }
}

/// A span that may not be known.
#[must_use]
pub fn maybe_took(ms: Option<u64>) -> String {
    ms.map_or_else(|| UNKNOWN.into(), took)
}

/// What stands in a sentence where a number is not known.
pub const UNKNOWN: &str = "unknown";

/// Microseconds: `850 µs`, `12.3 ms`, `1.2 s`.
#[must_use]
pub fn micros(us: u64) -> String {
    match us {
        0 => "under 1 µs".into(),
        1..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{}.{} ms", us / 1000, us % 1000 / 100),
        _ => format!("{}.{} s", us / 1_000_000, us % 1_000_000 / 100_000),
    }
}

/// The same, if known.
#[must_use]
pub fn maybe_micros(us: Option<u64>) -> String {
    us.map_or_else(|| UNKNOWN.into(), micros)
}

/// `10 000 000`, with spaces that do not break.
#[must_use]
pub fn number(value: u64) -> String {
    thousands(value, '\u{a0}')
}

/// The same, if known.
#[must_use]
pub fn maybe_number(value: Option<u64>) -> String {
    value.map_or_else(|| UNKNOWN.into(), number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_three_digits_from_the_end() {
        let read = [0, 999, 1_000, 12_345, 999_999, 1_234_567].map(count);
        assert_eq!(read, ["0", "999", "1,000", "12,345", "999,999", "1,234,567"]);
        assert_eq!(number(u64::MAX).chars().filter(|c| *c == '\u{a0}').count(), 6);
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(maybe(None), "?");
        assert_eq!([short(9_999), short(12_345)], ["9,999", "12.3k"]);
        assert_eq!([short(123_456), short(1_234_567)], ["123k", "1.2M"]);
        assert_eq!(bytes(512), "512 B");
        assert_eq!(bytes(4_300_000), "4.1 MiB");
        assert_eq!(bytes(1023 * 1024), "1.0 MiB");
        assert_eq!([rate(49.97), rate(4.5), rate(0.0)], ["50/s", "4.5/s", "0/s"]);
        assert_eq!(round_trip(310), "0.31 ms");
    }

    #[test]
    fn durations_read_well() {
        assert_eq!([seconds(4), seconds(420), seconds(39_600)], ["0.004 s", "0.42 s", "39.6 s"]);
        assert_eq!([span(432), span(12_900), span(185_000)], ["0.4 s", "12 s", "3 m 05 s"]);
        assert_eq!([age(1000, 4999), age(5000, 1000)], ["3 s", "0 s"]);
        assert_eq!([uptime(59_000), uptime(7_620_000)], ["< 1 m", "2 h 07 m"]);
        assert_eq!([took(850), took(12_345), took(125_000)], ["850 ms", "12.3 s", "2 min 5 s"]);
        assert_eq!([micros(85), micros(1_250), micros(1_250_000)], ["85 µs", "1.2 ms", "1.2 s"]);
        assert_eq!(moment(1_790_000_000_250), "2026-09-21 14:13:20.250 UTC");
        assert_eq!([after(1500, 1000), after(500, 1000)], ["+500 ms", "−500 ms"]);
    }

    #[test]
    fn a_number_fits_its_cells_or_says_that_it_is_larger() {
        assert_eq!(within(1_234, 5), "1,234");
        assert_eq!(within(12_345, 5), "12.3k");
        assert_eq!(within(12_345, 4), "12k");
        assert_eq!(within(1_234, 3), "1k");
        assert_eq!(within(123_456, 3), ">99k");
        for n in (0..60).map(|bit| 1 << bit) {
            assert!(within(n, 4).len() <= 4, "{n}");
        }
    }
}
