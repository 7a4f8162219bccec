//! The OCI distribution specification's own conformance test, over the gateway.

use std::process::Command;

use portolan_tests::tools;

use super::{before, cli};

/// What a gateway does not do, and why it is not asked to:
///
/// - deleting: Portolan deletes nothing anywhere;
/// - cancelling an upload has its own test (`push`), as the specification has no word of it yet;
/// - a tag as a parameter is of a version that is not published;
/// - layers that are not distributed: olareg, which is behind it here, takes no manifest that names one.
const NOT_ASKED: [(&str, &str); 6] = [
    ("OCI_DATA_NONDISTRIBUTABLE", "false"),
    ("OCI_API_BLOBS_DELETE", "false"),
    ("OCI_API_MANIFESTS_DELETE", "false"),
    ("OCI_API_TAGS_DELETE", "false"),
    ("OCI_API_BLOBS_UPLOAD_CANCEL", "false"),
    ("OCI_API_MANIFESTS_TAG_PARAM", "false"),
];

#[test]
fn it_is_a_registry_as_the_specification_has_it() {
    let cli = cli();
    let olareg = portolan_tests::olareg::start();
    let serving = before(&cli, olareg.host(), "--push *");
    let results = tempfile::tempdir().unwrap();
    let program = tools::find("conformance").expect("conformance, which `make servers` builds");
    let mut conformance = Command::new(program);
    conformance
        .current_dir(results.path())
        .env_clear()
        .env("OCI_RESULTS_DIR", results.path())
        .env("OCI_VERSION", "1.1")
        .env("OCI_REGISTRY", serving.host())
        .env("OCI_TLS", "disabled")
        .envs(NOT_ASKED);
    let output = conformance.output().unwrap();
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed);
    assert!(output.status.success(), "{printed}");
}
