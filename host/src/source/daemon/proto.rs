//! The messages of containerd's services that are sent and understood here: content, images, namespaces
//! (<https://github.com/containerd/containerd/tree/main/api/services>). A field that nobody here reads is left out, which
//! protobuf passes over.
//!
//! By hand, as the crate that containerd's authors publish wants a compiler for protobuf on the machine that builds it.

use std::collections::HashMap;

/// Where content is read; both daemons serve it.
pub(in super::super) mod path {
    pub(in super::super::super) const INFO: &str = "/containerd.services.content.v1.Content/Info";
    pub(in super::super::super) const READ: &str = "/containerd.services.content.v1.Content/Read";
    pub(in super::super::super) const IMAGES: &str = "/containerd.services.images.v1.Images/List";
    pub(in super::super::super) const NAMESPACES: &str = "/containerd.services.namespaces.v1.Namespaces/List";
}

/// `containerd.types.Descriptor`
#[derive(Clone, PartialEq, prost::Message)]
pub(in super::super) struct Descriptor {
    #[prost(string, tag = "1")]
    pub media_type: String,
    #[prost(string, tag = "2")]
    pub digest: String,
    #[prost(int64, tag = "3")]
    pub size: i64,
    #[prost(map = "string, string", tag = "5")]
    pub annotations: HashMap<String, String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in super::super) struct InfoRequest {
    #[prost(string, tag = "1")]
    pub digest: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in super::super) struct InfoResponse {
    #[prost(message, optional, tag = "1")]
    pub info: Option<Info>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in super::super) struct Info {
    #[prost(string, tag = "1")]
    pub digest: String,
    #[prost(int64, tag = "2")]
    pub size: i64,
}

/// A size of 0 means all that there is from the offset on.
#[derive(Clone, PartialEq, prost::Message)]
pub(in super::super) struct ReadContentRequest {
    #[prost(string, tag = "1")]
    pub digest: String,
    #[prost(int64, tag = "2")]
    pub offset: i64,
    #[prost(int64, tag = "3")]
    pub size: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in super::super) struct ReadContentResponse {
    #[prost(int64, tag = "1")]
    pub offset: i64,
    #[prost(bytes = "bytes", tag = "2")]
    pub data: bytes::Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in super::super) struct ListImagesRequest {
    #[prost(string, repeated, tag = "1")]
    pub filters: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in super::super) struct ListImagesResponse {
    #[prost(message, repeated, tag = "1")]
    pub images: Vec<Image>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in super::super) struct Image {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "3")]
    pub target: Option<Descriptor>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in super::super) struct ListNamespacesRequest {
    #[prost(string, tag = "1")]
    pub filter: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in super::super) struct ListNamespacesResponse {
    #[prost(message, repeated, tag = "1")]
    pub namespaces: Vec<Namespace>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in super::super) struct Namespace {
    #[prost(string, tag = "1")]
    pub name: String,
}
