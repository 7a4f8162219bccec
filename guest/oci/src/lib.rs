//! The vocabulary of container images: references, digests, platforms, names, documents. Pure.
