//! Parts of bytes: `Content-Range` of what was asked for (RFC 9110 §14.4), `Range` of what has arrived (distribution-spec,
//! "Pushing a blob in chunks").

/// Whether `Content-Range: bytes FIRST-LAST/TOTAL` is the part that was asked for, of a content of `size` bytes.
///
/// # Errors
/// Any other part, or none that is understood; the message is about the one who sent it.
pub fn check(header: &str, (first, last): (u64, u64), size: u64) -> Result<(), String> {
    match sent(header, size) {
        Some(range) if range == (first, last, size) => Ok(()),
        Some((from, to, total)) => {
            Err(format!("it sent bytes {from} to {to} of {total}, and was asked for {first} to {last} of {size}"))
        }
        None => Err("it sent a part without saying which".to_owned()),
    }
}

/// First, last and total; a total that the sender does not know is taken to be `size`.
fn sent(header: &str, size: u64) -> Option<(u64, u64, u64)> {
    let (range, total) = header.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let total = if total == "*" { size } else { total.parse().ok()? };
    Some((first.parse().ok()?, last.parse().ok()?, total))
}

/// How many bytes `0-LAST` is. The specification has no unit there; some registries write one, as HTTP does.
pub fn arrived(header: &str) -> Option<u64> {
    let range = header.trim();
    let last = range.strip_prefix("bytes=").unwrap_or(range).strip_prefix("0-")?;
    last.parse::<u64>().ok()?.checked_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_were_asked_for() {
        for (header, fits) in [
            ("bytes 10-19/100", true),
            ("bytes 10-19/*", true),
            (" bytes 10-19/100 ", true),
            ("bytes 10-18/100", false),
            ("bytes 0-9/100", false),
            ("bytes 10-19/99", false),
            ("bytes 10-19", false),
            ("bytes */100", false),
            ("items 10-19/100", false),
            ("bytes 10-99999999999999999999/100", false),
            ("", false),
        ] {
            assert_eq!(check(header, (10, 19), 100).is_ok(), fits, "{header}");
        }
    }

    #[test]
    fn what_has_arrived() {
        for (range, bytes) in [
            ("0-0", Some(1)),
            ("0-1048575", Some(1_048_576)),
            (" 0-9 ", Some(10)),
            ("bytes=0-9", Some(10)),
            ("0-18446744073709551615", None),
            ("0-18446744073709551616", None),
            ("5-9", None),
            ("0--1", None),
            ("0-", None),
            ("9", None),
            ("", None),
        ] {
            assert_eq!(arrived(range), bytes, "{range:?}");
        }
    }
}
