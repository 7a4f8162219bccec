//! A token server that a real registry believes: it signs with a key whose certificate the registry was given
//! (<https://distribution.github.io/distribution/spec/auth/jwt/>).
//!
//! It stands before the registry, so that both are one address, as Docker's own set-ups have it. Anybody may pull, but
//! nothing below `private/`; its one user may do everything. Every question is written down. The server ends with its
//! [`Tokens`].

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::registry::{User, run};

const SERVICE: &str = "tests";
const ISSUER: &str = "portolan-tests";
/// The longest that a connection is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A question for a token.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The scopes, decoded, in order.
    pub scopes: Vec<String>,
    /// Whether the user asked, with the right password.
    pub by_user: bool,
}

struct Desk {
    address: SocketAddr,
    /// The `HOST:PORT` that gets everything that is no question for a token.
    registry: OnceLock<String>,
    user: User,
    key: EcdsaKeyPair,
    /// In DER, base64.
    certificate: String,
    asked: Mutex<Vec<Asked>>,
    ended: AtomicBool,
}

/// A token server on a free port of 127.0.0.1.
pub struct Tokens {
    desk: Arc<Desk>,
    folder: TempDir,
}

impl Tokens {
    /// Starts a server with a new key.
    pub fn start(user: User) -> Tokens {
        let folder = tempfile::tempdir().expect("a folder for the key");
        let openssl = |arguments: &str| {
            run(Command::new("openssl").args(arguments.split(' ')).current_dir(folder.path()), "openssl");
        };
        openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=tokens -days 30 -keyout key.pem -out tokens.pem",
        );
        openssl("x509 -in tokens.pem -outform der -out tokens.der");
        openssl("pkcs8 -topk8 -nocrypt -in key.pem -outform der -out key.der");
        let key = fs::read(folder.path().join("key.der")).expect("the key");
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key, &SystemRandom::new())
            .expect("a key on P-256");
        let certificate = STANDARD.encode(fs::read(folder.path().join("tokens.der")).expect("the certificate"));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on 127.0.0.1");
        let address = listener.local_addr().expect("the address of a listener");
        let (registry, asked, ended) = (OnceLock::new(), Mutex::default(), AtomicBool::new(false));
        let desk = Arc::new(Desk { address, registry, user, key, certificate, asked, ended });
        let shared = Arc::clone(&desk);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                if shared.ended.load(Ordering::Relaxed) {
                    break;
                }
                let Ok(connection) = connection else { continue };
                let desk = Arc::clone(&shared);
                // A client that hangs up gets no token.
                std::thread::spawn(move || desk.serve(connection));
            }
        });
        Tokens { desk, folder }
    }

    /// `127.0.0.1:PORT`, of the tokens and of the registry behind them.
    pub fn host(&self) -> String {
        self.desk.address.to_string()
    }

    /// Has everything else answered by the registry at this `HOST:PORT`, from now on and for good.
    pub(crate) fn stand_before(&self, registry: &str) {
        self.desk.registry.set(registry.into()).expect("one registry for one token server");
    }

    /// The section `auth` of a registry that believes this server.
    pub fn section(&self) -> String {
        format!(
            "auth:\n  token:\n    realm: http://{}/token\n    service: {SERVICE}\n    issuer: {ISSUER}\n    rootcertbundle: {}\n",
            self.host(),
            self.certificate().display()
        )
    }

    /// Everything that was asked for so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.desk.asked.lock().expect("the questions").clone()
    }

    fn certificate(&self) -> PathBuf {
        Path::join(self.folder.path(), "tokens.pem")
    }
}

impl Drop for Tokens {
    fn drop(&mut self) {
        self.desk.ended.store(true, Ordering::Relaxed);
        // Wakes the listener, which looks at `ended`.
        let _ = TcpStream::connect(self.desk.address);
    }
}

impl Desk {
    /// Answers one request, here or by the registry; an error is a client that went away.
    fn serve(&self, connection: TcpStream) -> std::io::Result<()> {
        connection.set_read_timeout(Some(PATIENCE))?;
        connection.set_write_timeout(Some(PATIENCE))?;
        let mut reader = BufReader::new(connection.try_clone()?);
        let lines: Vec<String> =
            (&mut reader).take(64 << 10).lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
        let target = lines.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
        match self.registry.get() {
            Some(registry) if target.split('?').next() != Some("/token") => {
                relay(&lines, reader.buffer(), connection, registry)
            }
            _ => self.answer(&lines, target, connection),
        }
    }

    fn answer(&self, lines: &[String], target: &str, mut connection: TcpStream) -> std::io::Result<()> {
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let scopes: Vec<String> = query
            .split('&')
            .filter_map(|pair| pair.strip_prefix("scope="))
            .flat_map(|scopes| decoded(scopes).split(' ').map(str::to_owned).collect::<Vec<_>>())
            .collect();
        let shown = lines.iter().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("authorization").then(|| value.trim().to_owned())
        });
        let right = format!("Basic {}", STANDARD.encode(format!("{}:{}", self.user.name, self.user.password)));
        let by_user = shown.as_deref() == Some(right.as_str());
        self.asked.lock().expect("the questions").push(Asked { scopes: scopes.clone(), by_user });
        let (status, body) = match shown {
            Some(_) if !by_user => ("401 Unauthorized", json!({"errors": [{"code": "UNAUTHORIZED"}]})),
            _ => ("200 OK", json!({"token": self.token(&scopes, by_user), "expires_in": 300})),
        };
        let body = body.to_string();
        write!(
            connection,
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    }

    fn token(&self, scopes: &[String], by_user: bool) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
        let header = json!({"typ": "JWT", "alg": "ES256", "x5c": [self.certificate]});
        let claims = json!({
            "iss": ISSUER, "sub": if by_user { self.user.name } else { "" }, "aud": SERVICE,
            "iat": now, "nbf": now - 10, "exp": now + 300, "jti": format!("{now}"),
            "access": scopes.iter().filter_map(|scope| granted(scope, by_user)).collect::<Vec<_>>(),
        });
        let encode = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(header), encode(claims));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).expect("a signature");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// Has the registry answer one request, of which these lines and these bytes were read already, and nothing after it: what
/// comes next on a connection may be a question for a token.
fn relay(lines: &[String], read: &[u8], mut client: TcpStream, registry: &str) -> std::io::Result<()> {
    let mut server = TcpStream::connect(registry)?;
    server.set_read_timeout(Some(PATIENCE))?;
    write!(server, "{}\r\nConnection: close\r\n\r\n", lines.join("\r\n"))?;
    server.write_all(read)?;
    let (mut more, mut behind) = (client.try_clone()?, server.try_clone()?);
    std::thread::spawn(move || std::io::copy(&mut more, &mut behind));
    let answered = std::io::copy(&mut server, &mut client);
    // Ends the thread above, too.
    client.shutdown(Shutdown::Both)?;
    answered.map(drop)
}

/// What of a scope is given.
fn granted(scope: &str, by_user: bool) -> Option<Value> {
    let (resource, actions) = scope.rsplit_once(':')?;
    let (kind, name) = resource.split_once(':')?;
    let allowed = |action: &&str| by_user || (*action == "pull" && !name.starts_with("private/"));
    let actions: Vec<&str> = actions.split(',').filter(allowed).collect();
    Some(json!({"type": kind, "name": name, "actions": actions}))
}

/// Undoes what a query does to `:`, `/`, `,` and the space.
fn decoded(text: &str) -> String {
    [("%3A", ":"), ("%3a", ":"), ("%2F", "/"), ("%2f", "/"), ("%2C", ","), ("%2c", ","), ("%20", " "), ("+", " ")]
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}
