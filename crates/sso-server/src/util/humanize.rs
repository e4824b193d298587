//! Durations and browsers as text for people.

use std::time::Duration;

/// A duration in its largest unit: `3 hours`. Empty if less than a minute.
pub fn length(duration: Duration) -> String {
    let minutes = duration.as_secs() / 60;
    let (count, unit) = match minutes {
        0 => return String::new(),
        1..60 => (minutes, "minute"),
        60..1440 => (minutes / 60, "hour"),
        _ => (minutes / 1440, "day"),
    };
    counted(count, unit)
}

/// A time limit, to the second: `1 minute 30 seconds`.
pub fn limit(seconds: u64) -> String {
    match (seconds / 60, seconds % 60) {
        (0, seconds) => counted(seconds, "second"),
        (minutes, 0) => counted(minutes, "minute"),
        (minutes, seconds) => format!("{} {}", counted(minutes, "minute"), counted(seconds, "second")),
    }
}

/// `1 day`, `2 days`.
fn counted(count: u64, unit: &str) -> String {
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// How long ago something was: `just now`, `3 hours ago`.
pub fn ago(duration: Duration) -> String {
    match length(duration) {
        length if length.is_empty() => "just now".to_owned(),
        length => format!("{length} ago"),
    }
}

/// A browser's name from its user agent: `Firefox on Linux`. An unknown user agent is returned as it is.
pub fn browser(user_agent: &str) -> String {
    let find = |known: &[(&str, &'static str)]| {
        known.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name)
    };
    // Each of them also contains the ones below it.
    let product = find(&[
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("FxiOS/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("CriOS/", "Chrome"),
        ("Safari/", "Safari"),
    ]);
    let system = find(&[
        ("Windows", "Windows"),
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Mac OS X", "macOS"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ]);
    match (product, system) {
        (Some(product), Some(system)) => format!("{product} on {system}"),
        (Some(product), None) => product.to_owned(),
        _ => user_agent.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_in_their_largest_unit() {
        for (seconds, said) in [
            (0, "just now"),
            (59, "just now"),
            (60, "1 minute ago"),
            (59 * 60 + 59, "59 minutes ago"),
            (3600, "1 hour ago"),
            (47 * 3600, "1 day ago"),
            (30 * 86_400, "30 days ago"),
        ] {
            assert_eq!(ago(Duration::from_secs(seconds)), said);
        }
    }

    #[test]
    fn limits_are_said_to_the_second() {
        for (seconds, said) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "1 minute"),
            (90, "1 minute 30 seconds"),
            (600, "10 minutes"),
            (3_601, "60 minutes 1 second"),
        ] {
            assert_eq!(limit(seconds), said);
        }
    }

    #[test]
    fn browsers_are_told_apart() {
        let chrome =
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36";
        let edge = format!("{} Edg/141.0", chrome.replace("X11; Linux x86_64", "Windows NT 10.0; Win64; x64"));
        let safari = "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1 (KHTML, like Gecko) Version/17 Safari/605.1";
        for (agent, said) in [
            (chrome, "Chrome on Linux"),
            (&edge, "Edge on Windows"),
            (safari, "Safari on macOS"),
            ("Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0", "Firefox on Android"),
            ("curl/8.0", "curl/8.0"),
        ] {
            assert_eq!(browser(agent), said);
        }
    }
}
