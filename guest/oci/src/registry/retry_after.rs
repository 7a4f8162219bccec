//! `Retry-After`: how long somebody asks us to wait (RFC 9110 §10.2.3), as seconds or as a date.

use std::time::SystemTime;

/// The seconds that are asked for; more than fit are more than anybody waits. What is neither seconds nor a date says
/// nothing.
pub fn parse(header: &str, now: SystemTime) -> Option<u32> {
    let header = header.trim();
    if !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(header.parse().unwrap_or(u32::MAX));
    }
    let date = httpdate::parse_http_date(header).ok()?;
    // A second that began is waited for to its end, and the cast ends at the most there is.
    Some(date.duration_since(now).unwrap_or_default().as_secs_f64().ceil() as u32)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn headers() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777); // Sun, 06 Nov 1994 08:49:37 GMT
        for (header, seconds) in [
            ("0", Some(0)),
            (" 30 ", Some(30)),
            ("4294967295", Some(u32::MAX)),
            ("100000000000", Some(u32::MAX)),
            ("99999999999999999999999", Some(u32::MAX)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sun, 06 Nov 1994 08:49:27 GMT", Some(0)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(u32::MAX)),
            ("-5", None),
            ("+5", None),
            ("1.5", None),
            ("", None),
            ("soon", None),
        ] {
            assert_eq!(parse(header, now), seconds, "{header:?}");
        }
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:47 GMT", now + Duration::from_millis(1500)), Some(9));
    }
}
