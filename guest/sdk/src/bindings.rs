//! What wit-bindgen makes of the contract. Nothing outside [`imports`](crate::imports) and [`exports`](crate::exports)
//! looks in here; authors see our own types.
//!
//! One world for each thing that a component may export, so that a component exports what its macro said and no more:
//! `wit-component` unites the worlds that it finds in a module and drops the imports that nobody calls. The types that
//! they share are those of the first.

#![allow(missing_docs, unsafe_op_in_unsafe_fn, clippy::all, clippy::pedantic, clippy::unwrap_used, clippy::panic)]

/// A frontend and everything that it may import: of a frontend that only looks, nothing of `pusher` is left.
pub mod writer {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "portolan:oci/writer",
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_frontend",
    });
}

/// The typed question of build hosts.
pub mod resolution {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "package portolan:sdk; world typed { export portolan:oci/image-resolver@0.1.0; }",
        world: "portolan:sdk/typed",
        with: { "portolan:oci/types@0.1.0": super::writer::portolan::oci::types },
        pub_export_macro: true,
        export_macro_name: "export_image_resolver",
    });
}

/// A strategy.
pub mod judgement {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "portolan:oci/judgement",
        with: {
            "portolan:oci/types@0.1.0": super::writer::portolan::oci::types,
            "portolan:oci/host@0.1.0": super::writer::portolan::oci::host,
        },
        pub_export_macro: true,
        export_macro_name: "export_strategy",
    });
}
