//! Layers for people, and for `$(…)` in a shell.

use crate::{Image, Key};
use portolan_oci::stack;
use portolan_oci::text::line;
use portolan_sdk::Failure;
use portolan_sdk::table::{Table, size};
use std::fmt::Write as _;

/// The one value asked for, a line each: bare for one image, behind its platform and a tab for several.
///
/// # Errors
/// An artifact, whose layers have neither diff-ids nor chain-ids.
pub fn keys(images: &[Image], key: Key) -> Result<String, Failure> {
    let mut out = String::new();
    for image in images {
        for layer in &image.layers {
            let Some(key) = key.of(layer) else {
                let message = format!("{} is an artifact: its layers have digests only", image.manifest.digest);
                return Err(Failure::new(message).hint("try --key digest"));
            };
            let _ = match images.len() {
                1 => writeln!(out, "{key}"),
                _ => writeln!(out, "{}\t{key}", line(&image.label())),
            };
        }
    }
    Ok(out)
}

/// Every name of every layer. Three digests do not fit on a line, so each has its own.
pub fn layers(images: &[Image]) -> String {
    let mut out = String::new();
    for (place, image) in images.iter().enumerate() {
        let gap = if place == 0 { "" } else { "\n" };
        let _ = writeln!(out, "{gap}{}", head(image));
        let mut table = Table::plain().indent(2).right(3);
        for (place, layer) in image.layers.iter().enumerate() {
            let blob = &layer.descriptor;
            let number = (place + 1).to_string();
            table.row([&number, "digest", blob.digest.as_str(), &size(blob.size), &blob.media_type]);
            for (name, key) in [("diff-id", Key::DiffId), ("chain-id", Key::ChainId)] {
                if let Some(key) = key.of(layer) {
                    table.row(["", name, key.as_str(), "", ""]);
                }
            }
        }
        out.push_str(&table.to_string());
    }
    out
}

/// The steps of each image's making.
pub fn history(images: &[Image]) -> String {
    let mut out = String::new();
    for (place, image) in images.iter().enumerate() {
        let gap = if place == 0 { "" } else { "\n" };
        let _ = writeln!(out, "{gap}{}", head(image));
        let Some(told) = &image.told else {
            out.push_str("  an artifact, which tells no history\n");
            continue;
        };
        let mut table = Table::new(["LAYER", "SIZE", "CREATED", "BY"]).indent(2).right(1);
        for (step, layer) in stack::steps(&image.layers, told) {
            let (digest, bytes) = match layer {
                Some(layer) => (layer.descriptor.digest.as_str(), size(layer.descriptor.size)),
                None => ("-", "-".to_owned()),
            };
            let created = step.created.as_deref().unwrap_or("-");
            let by = step.created_by.as_deref().or(step.comment.as_deref()).unwrap_or("-");
            // A command of many lines, brought onto one.
            let by = by.split_whitespace().collect::<Vec<_>>().join(" ");
            table.row([digest, &bytes, created, &by]);
        }
        out.push_str(&table.to_string());
    }
    out
}

fn head(image: &Image) -> String {
    let sum = image.layers.iter().fold(0_u64, |sum, layer| sum.saturating_add(layer.descriptor.size));
    let layers = match image.layers.len() {
        1 => "1 layer".to_owned(),
        many => format!("{many} layers"),
    };
    let digest = &image.manifest.digest;
    match &image.platform {
        Some(platform) => format!("{}  {digest}  {layers}, {}", line(&platform.long()), size(sum)),
        None => format!("{digest}  {layers}, {}", size(sum)),
    }
}
