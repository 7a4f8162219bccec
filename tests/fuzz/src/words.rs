//! What people write: references and platforms.

use portolan_oci::platform::{Matcher, Platform};
use portolan_oci::{Location, Reference};

use crate::is_tame;

/// A reference prints as what it is: what was printed parses to the same, in every form, and is of the alphabet that paths,
/// URLs and terminals are safe with.
pub fn reference(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Reference::parse(text) {
        Ok(reference) => {
            let printed = reference.to_string();
            assert!(printed.bytes().all(|byte| byte.is_ascii_graphic()), "{printed:?}");
            assert!(!printed.split('/').any(|part| part == ".."), "{printed:?}");
            assert!(reference.path.len() <= 255);
            // Without a domain it is one that nobody can ask for, and reads as another one.
            if !reference.domain.is_empty() {
                assert_eq!(Reference::parse(&printed).as_ref(), Ok(&reference), "{printed:?}");
                let resolved = Reference::parse(&reference.resolved()).expect("what is asked for is a reference");
                assert_eq!(resolved.repository(), reference.repository());
                assert_eq!(resolved.digest, reference.digest);
            }
            let familiar = Reference::parse(&reference.familiar());
            assert_eq!(familiar.as_ref(), Ok(&reference), "{:?}", reference.familiar());
        }
        Err(error) => assert!(is_tame(&error.to_string()), "{error}"),
    }
    match Location::parse(text) {
        Ok(location) => {
            let printed = location.to_string();
            assert_eq!(Location::parse(&printed).as_ref(), Ok(&location), "{printed:?}");
        }
        Err(error) => assert!(is_tame(&error.to_string()), "{error}"),
    }
}

/// A platform prints as what parses to the same, and is what it asks for itself, by every rule.
pub fn platform(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let machine =
        Platform { os: "linux".into(), architecture: "arm".into(), variant: "v7".into(), ..Platform::default() };
    let platform = match Platform::parse(text, &machine) {
        Ok(platform) => platform,
        Err(error) => return assert!(is_tame(&error.to_string()), "{error}"),
    };
    let printed = platform.long();
    assert!(is_tame(&printed), "{printed:?}");
    let again = Platform::parse(&printed, &machine).unwrap_or_else(|error| panic!("{printed:?} of {text:?}: {error}"));
    assert_eq!(again.long(), printed, "{text:?}");
    assert_eq!(Platform::parse(&again.long(), &machine), Ok(again.clone()));
    for exact in [false, true] {
        let matcher = Matcher::new(&platform, &machine, exact);
        let accepted = matcher.accepts(64);
        assert!(accepted.len() <= 64);
        // An arm64 that containerd does not know is nobody's, its own neither.
        assert_eq!(matcher.rank(&platform).is_some(), !accepted.is_empty(), "{platform:?} and itself, exact: {exact}");
        for other in accepted {
            assert!(matcher.rank(&other).is_some(), "{platform:?} accepts {other:?}, and does not");
        }
    }
}
