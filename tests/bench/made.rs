//! Images made for a measurement, in memory.

use portolan_oci::media_type;
use serde_json::{Value, json};

/// Media type, bytes, name.
pub type Document = (&'static str, Vec<u8>, Option<&'static str>);

/// The documents of an image for these platforms, children first; the index is the last.
pub fn documents(platforms: &[Value]) -> Vec<Document> {
    let described =
        |media_type: &str, bytes: &[u8]| serde_json::to_value(portolan_oci::Descriptor::of(media_type, bytes)).unwrap();
    let mut documents = Vec::new();
    let mut manifests: Vec<Value> = Vec::new();
    for platform in platforms {
        let mut config = json!({
            "config": { "Env": ["PATH=/usr/bin"], "Cmd": ["/bin/sh"] },
            "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", "a".repeat(64))] },
            "history": [{ "created_by": "COPY a /a # buildkit" }],
        });
        for field in ["architecture", "os", "variant"] {
            if let Some(value) = platform.get(field) {
                config[field] = value.clone();
            }
        }
        let config = config.to_string().into_bytes();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": described(media_type::OCI_CONFIG, &config),
            "layers": [described("application/vnd.oci.image.layer.v1.tar+gzip", b"layer")],
        });
        let manifest = manifest.to_string().into_bytes();
        let mut entry = described(media_type::OCI_MANIFEST, &manifest);
        entry["platform"] = platform.clone();
        manifests.push(entry);
        documents.push((media_type::OCI_CONFIG, config, None));
        documents.push((media_type::OCI_MANIFEST, manifest, None));
    }
    let index = json!({ "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": manifests });
    documents.push((media_type::OCI_INDEX, index.to_string().into_bytes(), Some("app")));
    documents
}
