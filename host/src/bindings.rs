//! The contract (`wit/`) as wasmtime sees it, generated in this one place and hidden behind our own names.
//!
//! The world is the host's side of every frontend: all that can be imported but `strategy`, which composition satisfies,
//! and both exports, of which a component has one or two ([`engine::load`](crate::engine) looks them up one by one).

#![allow(missing_docs, clippy::all, clippy::pedantic, unreachable_pub)]

wasmtime::component::bindgen!({
    path: "../wit",
    inline: "
        package portolan:seen-by-the-host;

        world guest {
            import portolan:oci/host@0.1.0;
            import portolan:oci/resolver@0.1.0;
            import portolan:oci/fetcher@0.1.0;
            import portolan:oci/blobs@0.1.0;
            import portolan:oci/discovery@0.1.0;
            import portolan:oci/pusher@0.1.0;
            export portolan:oci/frontend@0.1.0;
            export portolan:oci/image-resolver@0.1.0;
        }
    ",
    world: "portolan:seen-by-the-host/guest",
    imports: { "portolan:oci/host": trappable, default: async | trappable },
    exports: { default: async },
});

pub(crate) use self::exports::portolan::oci::{frontend, image_resolver};
pub(crate) use self::portolan::oci::{blobs, discovery, fetcher, host, pusher, resolver, types};
