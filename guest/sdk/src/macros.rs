//! One line turns a type into a component. Natively the line exports nothing, so that the same crate is tested by plain
//! `cargo test` and linked into other native programs; that it names the type keeps it from being dead code there.

/// Exports a [`Frontend`](crate::Frontend). The strategy that judges for it is the host's; one that is named behind it is
/// linked in, and is not to be replaced.
#[macro_export]
macro_rules! frontend {
    ($frontend:ident) => {
        $crate::frontend!($frontend, $crate::exports::Plugged);
    };
    ($frontend:ident, $strategy:path) => {
        #[cfg(not(target_family = "wasm"))]
        const _: fn() -> $crate::Info = <$frontend as $crate::Frontend>::describe;

        #[cfg(target_family = "wasm")]
        const _: () = {
            use $crate::{bindings, exports};

            struct Component;

            impl bindings::writer::exports::portolan::oci::frontend::Guest for Component {
                fn describe() -> bindings::writer::exports::portolan::oci::frontend::Info {
                    exports::describe::<$frontend>()
                }

                fn solve(
                    request: bindings::writer::exports::portolan::oci::frontend::Request,
                ) -> Result<
                    bindings::writer::exports::portolan::oci::frontend::Response,
                    bindings::writer::portolan::oci::types::Failure,
                > {
                    exports::solve::<$frontend, $strategy>(request)
                }
            }

    bindings::writer::export_frontend!(Component with_types_in $crate::bindings::writer);
        };
    };
}

/// Exports a [`Frontend`](crate::Frontend) that is an [`ImageResolver`](crate::ImageResolver) too. Its strategy is as for
/// [`frontend!`](crate::frontend!).
#[macro_export]
macro_rules! resolver {
    ($frontend:ident) => {
        $crate::resolver!($frontend, $crate::exports::Plugged);
    };
    ($frontend:ident, $strategy:path) => {
        $crate::frontend!($frontend, $strategy);

        #[cfg(target_family = "wasm")]
        const _: () = {
            use $crate::{bindings, exports};

            struct Component;

            impl bindings::resolution::exports::portolan::oci::image_resolver::Guest for Component {
                fn resolve_image(
                    query: bindings::resolution::exports::portolan::oci::image_resolver::Query,
                ) -> Result<
                    bindings::resolution::exports::portolan::oci::image_resolver::Image,
                    bindings::writer::portolan::oci::types::Failure,
                > {
                    exports::resolve_image::<$frontend, $strategy>(query)
                }
            }

            bindings::resolution::export_image_resolver!(
                Component with_types_in $crate::bindings::resolution
            );
        };
    };
}

/// Exports a [`Strategy`](crate::Strategy).
#[macro_export]
macro_rules! strategy {
    ($strategy:ident) => {
        #[cfg(not(target_family = "wasm"))]
        const _: fn() = $crate::is_a_strategy::<$strategy>;

        #[cfg(target_family = "wasm")]
        const _: () = {
            use $crate::{bindings, exports};

            struct Component;

            impl bindings::judgement::exports::portolan::oci::strategy::Guest for Component {
                fn match_name(
                    entries: Vec<u8>,
                    name: String,
                    mode: String,
                ) -> Result<Vec<u32>, bindings::writer::portolan::oci::types::Failure> {
                    exports::match_name::<$strategy>(entries, name, mode)
                }

                fn select(
                    index: Vec<u8>,
                    platform: String,
                    mode: String,
                ) -> Result<Vec<u32>, bindings::writer::portolan::oci::types::Failure> {
                    exports::select::<$strategy>(index, platform, mode)
                }
            }

    bindings::judgement::export_strategy!(Component with_types_in $crate::bindings::judgement);
        };
    };
}

/// For [`strategy!`](crate::strategy!) where nothing is exported.
#[cfg(not(target_family = "wasm"))]
#[doc(hidden)]
pub fn is_a_strategy<S: crate::Strategy>() {}
