//! The page on it (`docs/serving.md`) says what is so: the gateway is started as it says, and asked what it asks.

use portolan_tests::book::{Shell, docs};
use portolan_tests::tools;

use super::{cli, multi, registry};

const STARTED: &str = "portolan serve --upstream docker.io --pull 'docker.io/*' --operators 127.0.0.1:9000";

#[test]
fn every_command_prints_what_the_page_says() {
    let page = std::fs::read_to_string(docs().join("serving.md")).unwrap();
    assert!(page.contains(STARTED), "it is started otherwise here than there");
    let (cli, registry) = (cli(), registry());
    registry.push(&multi(), "acme/app:1.4");
    cli.asks(&["docker.io", "ghcr.io"], registry.host());
    // On free ports, and in front of a registry on loopback.
    let serving = cli.serve("--upstream docker.io --pull docker.io/*");
    let folder = tempfile::tempdir().unwrap();
    let shell = Shell::new(folder.path(), cli.home())
        .program(tools::find("crane").expect("crane, which `make servers` builds"))
        .called(serving.host(), "127.0.0.1:5000")
        .called(serving.address(1), "127.0.0.1:9000");
    assert!(shell.check("serving.md") > 5);
}
