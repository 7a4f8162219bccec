//! What people type who come from crane, skopeo, regctl, oras or docker, and what it is here. Nothing is run for them: what
//! was meant is for them to say.

const ELSEWHERE: &[(&[&str], &str)] = &[
    (
        &["login", "logout", "auth"],
        "`docker login HOST` or `podman login HOST` keeps credentials where Portolan reads them",
    ),
    (&["digest"], "portolan resolve REF --digest"),
    (&["manifest", "get", "show"], "portolan inspect REF, and with --raw the bytes as stored"),
    (&["config"], "portolan resolve REF --part config"),
    (&["ls", "list", "list-tags", "repo", "catalog"], "portolan tags REPO"),
    (&["pull", "save", "export"], "portolan copy REF oci-layout://DIR, or oci-archive://FILE"),
    (&["push", "load"], "portolan copy oci-layout://DIR REF, or docker-archive://FILE REF"),
    (&["cp", "sync", "mirror"], "portolan copy FROM TO, and with --all-tags a whole repository"),
    (&["tag", "retag"], "portolan copy NAME:OLD NAME:NEW"),
    (
        &["append", "index", "merge"],
        "portolan create -t NEW OLD… makes an index of what there is; layers are a builder's business",
    ),
    (&["discover", "referrers", "tree"], "portolan inspect REF --referrers"),
    #[cfg(not(feature = "serve"))]
    (&["serve"], "this program was built without the gateway: cargo install portolan --features serve"),
    (&["delete", "rm", "gc", "mutate", "rebase", "sign"], "Portolan deletes, changes and signs no image"),
];

/// What to type in the place of a word that is no command.
pub fn here(word: &str) -> Option<&'static str> {
    ELSEWHERE.iter().find(|(words, _)| words.contains(&word)).map(|(_, here)| *here)
}
