//! The gateway: resolve, fetch and push as a service, for build hosts in any language and for more than one machine.
//!
//! Two doors lead to one `gateway`: gRPC (`rpc`, `proto/portolan/v1/gateway.proto`), and the distribution API
//! that every registry client speaks (`distribution`), which makes of it a registry that others are pulled through. Both are
//! behind the same sockets (`listen`), and who calls is known before anything is asked (`caller`).
//!
//! It is stateless: names are resolved by frontends, content comes from registries, and what is kept (`recall` in memory,
//! `shelf` where all gateways find it) is kept to ask for less, and may be lost at any moment. The one-way rule holds here, too: a tag means what a frontend says.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use portolan::serve::{Address, Callers, Server};
//! use portolan::source::registry::Registry;
//! use portolan::{Grants, Host};
//!
//! let host = Host::builder().pooling(true).build()?;
//! let callers = Callers::anybody(Grants::new().pull("docker.io/*")?);
//! let server = Server::builder(host, Registry::builder().build()?).callers(callers).build().await?;
//! let bound = server.bind(&["127.0.0.1:5000".parse::<Address>()?]).await?;
//! bound.serve(async { tokio::signal::ctrl_c().await.unwrap_or_default() }).await;
//! # Ok(())
//! # }
//! ```

mod caller;
mod distribution;
mod filling;
mod flight;
mod gateway;
mod listen;
mod metrics;
mod patient;
mod problem;
mod recall;
mod rpc;
mod server;
mod shelf;
mod span;

pub use caller::{Callers, InvalidCallers};
pub use listen::{Address, Bound, InvalidAddress};
pub use server::{Bounds, Builder, ServeError, Server};
pub use shelf::Shelf;
