//! From the functions that a component exports to the author's traits, and back. The macros that put them there.

use portolan_oci::{Descriptor, Mode};

use crate::bindings::resolution::exports::portolan::oci::image_resolver as build_host;
use crate::bindings::writer::exports::portolan::oci::frontend as wit;
use crate::bindings::writer::portolan::oci::types;
use crate::failure::{Error, Failure};
use crate::frontend::{Frontend, ImageResolver};
use crate::host::{Level, Machine, Strategy};
use crate::imports::Imports;
pub use crate::imports::Plugged;
use crate::parameter::{Info, Kind, Parameter};
use crate::request::Request;
use crate::response::{Body, Response};
use crate::typed::{Content, Parts, Query, ResolvedImage};

/// Has a panic's message logged before the trap that it ends in, which says nothing of it.
fn log_panics() {
    std::panic::set_hook(Box::new(|info| Imports::<Plugged>::NEW.log(Level::Error, &info.to_string())));
}

/// `describe` of a component.
pub fn describe<F: Frontend>() -> wit::Info {
    log_panics();
    let Info { name, version, summary, parameters, formats } = F::describe();
    wit::Info {
        name: name.to_owned(),
        version: version.to_owned(),
        summary: summary.to_owned(),
        parameters: parameters.into_iter().map(parameter).collect(),
        formats: texts(if formats.is_empty() { &["text"] } else { formats }),
    }
}

/// `solve` of a component.
///
/// # Errors
/// Whatever the frontend fails with, and arguments that it did not declare.
pub fn solve<F: Frontend, S: Strategy>(request: wit::Request) -> Result<wit::Response, types::Failure> {
    log_panics();
    let request = Request::parse(F::describe(), request.arguments);
    let answer = request.and_then(|request| F::solve(&Imports::<S>::NEW, request));
    match answer {
        Ok(Response { status, media_type, body, metadata }) => Ok(wit::Response {
            status,
            media_type: media_type.into_owned(),
            body: match body {
                Body::Text(text) => wit::Body::Text(text),
                Body::Bytes(bytes) => wit::Body::Bytes(bytes),
                Body::Content { repository, descriptor } => wit::Body::Content((repository, lower(*descriptor))),
            },
            metadata,
        }),
        Err(failed) => Err(failure(failed)),
    }
}

/// `resolve-image` of a component.
///
/// # Errors
/// Whatever the frontend fails with.
pub fn resolve_image<F: ImageResolver, S: Strategy>(
    query: build_host::Query,
) -> Result<build_host::Image, types::Failure> {
    log_panics();
    let build_host::Query { reference, platform, parts, options } = query;
    let parts = Parts {
        index: parts.contains(build_host::Parts::INDEX),
        manifest: parts.contains(build_host::Parts::MANIFEST),
        config: parts.contains(build_host::Parts::CONFIG),
    };
    match F::resolve_image(&Imports::<S>::NEW, Query { reference, platform, parts, options }) {
        Ok(ResolvedImage { repository, platform, index, manifest, config, platforms }) => Ok(build_host::Image {
            repository,
            platform,
            index: index.map(content),
            manifest: content(manifest),
            config: content(config),
            platforms,
        }),
        Err(failed) => Err(failure(failed)),
    }
}

/// `match-name` of a component.
///
/// # Errors
/// Whatever the strategy fails with, and a mode that there is not.
pub fn match_name<S: Strategy>(entries: Vec<u8>, name: String, mode: String) -> Result<Vec<u32>, types::Failure> {
    log_panics();
    self::mode(&mode).and_then(|mode| S::match_name(&Imports::<Plugged>::NEW, &entries, &name, mode)).map_err(failure)
}

/// `select` of a component.
///
/// # Errors
/// Whatever the strategy fails with, and a mode that there is not.
pub fn select<S: Strategy>(index: Vec<u8>, platform: String, mode: String) -> Result<Vec<u32>, types::Failure> {
    log_panics();
    self::mode(&mode).and_then(|mode| S::select(&Imports::<Plugged>::NEW, &index, &platform, mode)).map_err(failure)
}

fn mode(text: &str) -> Result<Mode, Failure> {
    text.parse().map_err(|error: portolan_oci::InvalidMode| Failure::new(error.to_string()))
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

fn parameter(parameter: Parameter) -> wit::Parameter {
    wit::Parameter {
        name: parameter.name.to_owned(),
        short: parameter.short.map(String::from),
        kind: match parameter.kind {
            Kind::Flag => wit::Kind::Flag,
            Kind::Text => wit::Kind::Text,
            Kind::Choice(choices) => wit::Kind::Choice(texts(choices)),
            Kind::PullReference => wit::Kind::PullReference,
            Kind::PushReference => wit::Kind::PushReference,
            Kind::File => wit::Kind::File,
            Kind::PullReferenceFile => wit::Kind::PullReferenceFile,
        },
        help: parameter.help.to_owned(),
        default: parameter.default.map(str::to_owned),
        required: parameter.required,
        repeated: parameter.repeated,
        positional: parameter.positional,
    }
}

fn lower(descriptor: Descriptor) -> types::Descriptor {
    types::Descriptor {
        media_type: descriptor.media_type,
        digest: descriptor.digest.as_str().to_owned(),
        size: descriptor.size,
    }
}

fn content(content: Content) -> build_host::Content {
    build_host::Content { descriptor: lower(content.descriptor), bytes: content.bytes }
}

fn failure(failure: Failure) -> types::Failure {
    let cause = |Error { code, message, retry_after }| types::Error { code, message, retry_after };
    types::Failure { message: failure.message, hint: failure.hint, cause: failure.cause.map(cause) }
}
