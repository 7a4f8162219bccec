//! The contract (`wit/`) as wasmtime sees it, generated in this one place and hidden behind our own names.
//!
//! The world is the host's side of every frontend: all that can be imported but `strategy`, which composition satisfies,
//! and both exports, of which a component has one or two ([`engine::load`](crate::engine) looks them up one by one).

#![allow(missing_docs, clippy::all, clippy::pedantic, unreachable_pub)]

mod imports {
    wasmtime::component::bindgen!({
        path: "wit",
        inline: "
            package portolan:seen-by-the-host;

            world imports {
                import portolan:oci/host@0.1.0;
                import portolan:oci/resolver@0.1.0;
                import portolan:oci/fetcher@0.1.0;
                import portolan:oci/blobs@0.1.0;
                import portolan:oci/discovery@0.1.0;
                import portolan:oci/pusher@0.1.0;
            }
        ",
        world: "portolan:seen-by-the-host/imports",
        imports: { "portolan:oci/host": trappable, default: async | trappable },
        // Calls and answers are kept on tape.
        additional_derives: [serde::Serialize, serde::Deserialize],
    });
}

mod exports {
    wasmtime::component::bindgen!({
        path: "wit",
        inline: "
            package portolan:seen-by-the-host;

            world exports {
                export portolan:oci/frontend@0.1.0;
                export portolan:oci/image-resolver@0.1.0;
            }
        ",
        world: "portolan:seen-by-the-host/exports",
        exports: { default: async },
        with: { "portolan:oci/types": crate::bindings::types },
    });
}

pub(crate) use self::exports::exports::portolan::oci::{frontend, image_resolver};
pub use self::imports::portolan::oci::types;
pub(crate) use self::imports::portolan::oci::{blobs, discovery, fetcher, host, pusher, resolver};
