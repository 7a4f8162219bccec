//! Which BuildKit daemon is meant, as `docker buildx` and `buildctl` find it.

use std::fmt;
use std::path::{Path, PathBuf};

use super::super::buildx::{self, Instance, Node};
use super::super::daemon::{Address, Tls};

/// Where `buildctl` looks.
const USUAL: &str = "unix:///run/buildkit/buildkitd.sock";
/// How buildx calls the container of a node.
const CONTAINER: &str = "buildx_buildkit_";

/// A builder: a daemon, or one that buildx knows by name.
///
/// ```no_run
/// use portolan::source::buildkit::{Builder, Buildkit};
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let results = Buildkit::new(Builder::usual().address()?, "buildkit://buildkit");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Builder {
    name: Option<String>,
    node: Option<String>,
    host: Option<String>,
    buildx: Option<PathBuf>,
}

/// A builder whose daemon cannot be told, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidBuilder(String);

impl fmt::Display for InvalidBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidBuilder {}

impl Builder {
    /// The one that the environment names, in `BUILDX_BUILDER` or `BUILDKIT_HOST`; else the one that buildx uses; else the
    /// daemon at `unix:///run/buildkit/buildkitd.sock`.
    pub fn usual() -> Builder {
        let text = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Builder { name: text("BUILDX_BUILDER"), node: None, host: text("BUILDKIT_HOST"), buildx: buildx::folder() }
    }

    /// One that buildx knows by this name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// One of its nodes; the first, where none is named.
    #[must_use]
    pub fn node(mut self, node: impl Into<String>) -> Self {
        self.node = Some(node.into());
        self
    }

    /// Where its daemon listens.
    ///
    /// # Errors
    /// A builder that is not there, or that is reached in a way which is not known here.
    pub fn address(&self) -> Result<Address, InvalidBuilder> {
        self.find().map_err(InvalidBuilder)
    }

    fn find(&self) -> Result<Address, String> {
        let folder = self.buildx.as_deref();
        let name = match (&self.name, &self.host) {
            (Some(name), _) => Some(name.clone()),
            (None, Some(host)) => return Address::parse(host).map_err(|error| format!("BUILDKIT_HOST: {error}")),
            (None, None) => buildx::current(folder)?,
        };
        let Some(name) = name else { return Address::parse(USUAL).map_err(|error| error.to_string()) };
        let (file, instance) = buildx::instance(folder, &name)?;
        self.of(&instance, &file)
    }

    fn of(&self, instance: &Instance, file: &Path) -> Result<Address, String> {
        let fail = |why: String| format!("{}: {why}", file.display());
        let nodes = instance.nodes.as_deref().unwrap_or_default();
        let node = match &self.node {
            None => nodes.first().ok_or_else(|| fail("the builder has no node".into()))?,
            Some(name) => {
                nodes.iter().find(|node| node.name == *name).ok_or_else(|| fail(format!("it has no node {name:?}")))?
            }
        };
        match instance.driver.as_str() {
            "remote" => remote(node).map_err(fail),
            "docker-container" => {
                // What buildx has here is a context of docker's, or where docker listens.
                let option = if node.endpoint.contains("://") { "--host" } else { "--context" };
                let options = match node.endpoint.as_str() {
                    "" => Vec::new(),
                    endpoint => vec![option.to_owned(), endpoint.to_owned()],
                };
                Address::docker(options, &format!("{CONTAINER}{}", node.name)).map_err(|error| fail(error.to_string()))
            }
            other => Err(fail(format!(
                "its driver is {other:?}; the daemons of the drivers docker-container and remote can be reached"
            ))),
        }
    }
}

fn remote(node: &Node) -> Result<Address, String> {
    let address = Address::parse(&node.endpoint).map_err(|error| error.to_string())?;
    let options = node.driver_opts.iter().flatten();
    let (mut tls, mut certificate, mut key) = (Tls::default(), None, None);
    for (option, value) in options.filter(|(_, value)| !value.is_empty()) {
        match option.as_str() {
            "cacert" => tls.ca = Some(value.into()),
            "cert" => certificate = Some(PathBuf::from(value)),
            "key" => key = Some(PathBuf::from(value)),
            "servername" => tls.server_name = Some(value.clone()),
            // When to look whether the daemon is there, and what buildx loads images by.
            _ => {}
        }
    }
    tls.certificate = match (certificate, key) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        _ => return Err("a certificate is shown with its key: `cert` and `key`, and here is one of them".into()),
    };
    Ok(if tls == Tls::default() { address } else { address.with_tls(tls) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(instances: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("instances")).unwrap();
        for (name, json) in instances {
            std::fs::write(folder.path().join("instances").join(name), json).unwrap();
        }
        folder
    }

    fn builder(folder: &tempfile::TempDir) -> Builder {
        Builder { name: None, node: None, host: None, buildx: Some(folder.path().to_owned()) }
    }

    const CONTAINERS: &str = r#"{"Name":"ci","Driver":"docker-container","Nodes":[
        {"Name":"ci0","Endpoint":"unix:///var/run/docker.sock","DriverOpts":null},{"Name":"ci1","Endpoint":"far"}]}"#;
    const REMOTE: &str = r#"{"Name":"far","Driver":"remote","Nodes":[{"Name":"far0","Endpoint":"tcp://b.corp:1234",
        "DriverOpts":{"cacert":"/ca.pem","cert":"/c.pem","key":"/k.pem","servername":"b","default-load":"true"}}]}"#;

    #[test]
    fn who_is_meant() {
        let folder = store(&[("ci", CONTAINERS), ("far", REMOTE)]);
        let usual = builder(&folder);
        let address = |builder: &Builder| builder.address().unwrap().to_string();
        assert_eq!(address(&usual), USUAL);
        std::fs::write(folder.path().join("current"), r#"{"Name":"far"}"#).unwrap();
        assert_eq!(address(&usual), "tcp://b.corp:1234");
        let host = Builder { host: Some("unix:///b.sock".into()), ..usual.clone() };
        assert_eq!(address(&host), "unix:///b.sock");
        assert_eq!(address(&host.named("CI")), "docker-container://buildx_buildkit_ci0");
        assert_eq!(address(&usual.clone().named("ci").node("ci1")), "docker-container://buildx_buildkit_ci1");
        let shown = format!("{:?}", usual.clone().named("ci").address().unwrap());
        assert!(shown.contains(r#"["--host", "unix:///var/run/docker.sock"]"#), "{shown}");
        let shown = format!("{:?}", usual.clone().named("ci").node("ci1").address().unwrap());
        assert!(shown.contains(r#"["--context", "far"]"#), "{shown}");
        let shown = format!("{:?}", usual.named("far").address().unwrap());
        let tls = r#"Tls { ca: Some("/ca.pem"), certificate: Some(("/c.pem", "/k.pem")), server_name: Some("b") }"#;
        assert!(shown.contains(tls), "{shown}");
    }

    #[test]
    fn who_cannot_be_reached() {
        let remote = |more: &str| format!(r#"{{"Driver":"remote","Nodes":[{{"Name":"n",{more}}}]}}"#);
        let (kube, half) =
            (remote(r#""Endpoint":"kube-pod://b""#), remote(r#""Endpoint":"tcp://h:1","DriverOpts":{"key":"k"}"#));
        let folder = store(&[
            ("k8s", r#"{"Driver":"kubernetes","Nodes":[{"Name":"n"}]}"#),
            ("empty", r#"{"Driver":"remote","Nodes":null}"#),
            ("odd", r#"{"Driver":"docker-container","Nodes":[{"Name":"a b"}]}"#),
            ("kube", &kube),
            ("half", &half),
            ("broken", "["),
        ]);
        for (name, expected) in [
            ("k8s", "its driver is \"kubernetes\""),
            ("empty", "the builder has no node"),
            ("odd", "\"buildx_buildkit_a b\" is no container's name"),
            ("kube", "\"kube-pod://b\" is no daemon's address"),
            ("half", "here is one of them"),
            ("broken", "it is no builder"),
            ("nope", "there is no builder \"nope\""),
            ("../x", "is no name of a builder"),
        ] {
            let message = builder(&folder).named(name).address().unwrap_err().to_string();
            assert!(message.contains(expected), "{name}\n{message}");
        }
        let message = builder(&folder).named("k8s").node("other").address().unwrap_err().to_string();
        assert!(message.contains("it has no node \"other\""), "{message}");
        let wrong = Builder { host: Some("b.corp:1234".into()), ..builder(&folder) };
        assert!(wrong.address().unwrap_err().to_string().starts_with("BUILDKIT_HOST: "));
    }
}
