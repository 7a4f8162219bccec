//! A program as a container image, without a container tool: one layer with the program and whatever files it needs, a
//! config, a manifest, into a layout that `portolan create` and `portolan copy` go on from. The same files give the same
//! digest.
//!
//! `cargo run --example own-image -- LAYOUT NAME OS/ARCH PROGRAM [FILE=PATH-IN-THE-IMAGE…]`

use std::error::Error;
use std::fs::{self, File};
use std::path::Path;

use async_trait::async_trait;
use bytes::Bytes;
use flate2::{Compression, GzBuilder};
use futures_util::{StreamExt as _, stream};
use portolan::source::layout::Layout;
use portolan::source::sink::{Content, Document};
use portolan::source::{ByteStream, Source as _};
use portolan_oci::{Descriptor, Digest, media_type};
use serde_json::json;

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [layout, name, platform, program, files @ ..] = &*words else {
        return Err("usage: own-image LAYOUT NAME OS/ARCH PROGRAM [FILE=PATH…]".into());
    };
    let (os, architecture) = platform.split_once('/').ok_or("a platform is OS/ARCH")?;
    let command = Path::new(program).file_name().and_then(|name| name.to_str()).ok_or("the program has no name")?;

    let mut members = vec![(program.as_str(), command, 0o755)];
    for file in files {
        let (from, to) = file.split_once('=').ok_or("a file is FILE=PATH-IN-THE-IMAGE")?;
        members.push((from, to.trim_start_matches('/'), 0o644));
    }
    let tar = tar(&members)?;
    let layer = Blob(gzip(&tar)?.into());
    let config = json!({
        "architecture": architecture,
        "os": os,
        "config": { "Entrypoint": [format!("/{command}")], "WorkingDir": "/" },
        "rootfs": { "type": "layers", "diff_ids": [Digest::sha256(&tar).as_str()] },
        "history": [{ "created_by": "own-image" }],
    });
    let config = Blob(serde_json::to_vec(&config)?.into());
    let layer_descriptor = Descriptor::of(LAYER, &layer.0);
    let config_descriptor = Descriptor::of(media_type::OCI_CONFIG, &config.0);
    let manifest = Bytes::from(serde_json::to_vec(&json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_MANIFEST,
        "config": config_descriptor,
        "layers": [layer_descriptor],
    }))?);

    // Children first, the name last: whoever looks at the layout meanwhile sees none of it.
    let sink = Layout::create(Path::new(layout), "oci-layout://image")?.sink()?;
    sink.put_blob(&layer_descriptor, &layer).await?;
    sink.put_blob(&config_descriptor, &config).await?;
    let descriptor = Descriptor::of(media_type::OCI_MANIFEST, &manifest);
    println!("{}", descriptor.digest);
    sink.put_document(&Document { descriptor, bytes: manifest, name: Some(name.clone()) }).await?;
    sink.commit().await?;
    Ok(())
}

/// Files as root's, without times, and a folder for temporary ones.
fn tar(members: &[(&str, &str, u32)]) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut folder = tar::Header::new_gnu();
    folder.set_entry_type(tar::EntryType::Directory);
    folder.set_size(0);
    folder.set_mode(0o1777);
    folder.set_cksum();
    archive.append_data(&mut folder, "tmp/", std::io::empty())?;
    for (from, to, mode) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(fs::metadata(from)?.len());
        header.set_mode(*mode);
        header.set_cksum();
        archive.append_data(&mut header, to, File::open(from)?)?;
    }
    archive.into_inner()
}

fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut packed = GzBuilder::new().write(Vec::new(), Compression::best());
    std::io::Write::write_all(&mut packed, bytes)?;
    packed.finish()
}

/// Bytes that are there.
struct Blob(Bytes);

#[async_trait]
impl Content for Blob {
    async fn open(&self) -> portolan::Result<ByteStream> {
        Ok(stream::iter([Ok(self.0.clone())]).boxed())
    }
}
