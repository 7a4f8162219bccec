//! A frontend as a program: reads a command line, asks the frontend that it was composed with, prints what `portolan`
//! prints and exits as it does. `portolan bundle` puts it in front of a frontend.
//!
//! The first word is the frontend's name (`wasmtime run all.wasm inspect …`); what may follow is what the frontend says of
//! itself. A store is a folder that the runtime opened under a name, a file one in such a folder.
//!
//! In reading order: [`describe`] and [`words`] for what a command line is, [`stores`] and [`files`] for what it names,
//! [`help`], `output`; `program` for the whole.
//!
//! Not here: `--jq`, `--store` and `--strategy`, for which there are jq, the runtime's `--dir` and the one who bundled.

#![deny(unsafe_code)]

#[cfg(target_family = "wasm")]
#[allow(missing_docs, unsafe_code, unsafe_op_in_unsafe_fn, clippy::all, clippy::unwrap_used, clippy::panic)]
mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "package portolan:adapter;
            world adapter {
                import portolan:oci/frontend@0.1.0;
                import portolan:oci/blobs@0.1.0;
            }",
        world: "portolan:adapter/adapter",
        generate_all,
    });
}

pub mod describe;
pub mod exit;
pub mod files;
pub mod help;
#[cfg(target_family = "wasm")]
mod output;
#[cfg(target_family = "wasm")]
mod program;
pub mod stores;
pub mod words;

#[cfg(target_family = "wasm")]
#[allow(unsafe_code, reason = "wit-bindgen's code crosses the boundary")]
const _: () = {
    use wasip2::cli::{environment::get_arguments, exit::exit_with_code};

    struct Adapter;

    impl wasip2::exports::cli::run::Guest for Adapter {
        fn run() -> Result<(), ()> {
            let words: Vec<String> = get_arguments().into_iter().skip(1).collect();
            let status = program::run(&words).unwrap_or_else(exit::Exit::report);
            // What `Err` ends with is 1 for every runtime; this is the one function that can say more.
            if status != 0 {
                exit_with_code(status);
            }
            Ok(())
        }
    }

    wasip2::cli::command::export!(Adapter);
};
