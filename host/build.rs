//! Builds the bundled frontends, the bundled strategy and the parts of a bundle, so that `cargo build` and `cargo install` just work.
//!
//! A package carries what comes of it ready-made, in `bundled`, which is copied: whoever installs it needs no wasm target. In a
//! clone, which has the sources, each guest crate becomes a core module (wasm32-unknown-unknown, so that nothing but our contract can be imported) and
//! then a component. They are built into a target folder of their own: the workspace's is locked by the cargo that runs this
//! script. `src/embedded.rs` includes what becomes of all of them: one archive, as they have much in common, and a table of
//! what lies where in it. The SDK's sources, which `portolan new` lays beside an author's, are another.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

use sha2::{Digest as _, Sha256};

const TARGET: &str = "wasm32-unknown-unknown";

/// The crates under `guest/` that become components: `portolan-NAME`, into `NAME.wasm`. First the frontends.
const FRONTENDS: [&str; 8] = ["resolve", "inspect", "layers", "create", "copy", "tags", "diff", "explain"];

/// Then the strategy, and the parts of a bundle: the host's stand-in and a command line, which alone import something else
/// than our contract, WASI.
const OTHERS: [&str; 3] = ["strategy", "provider", "adapter"];

/// The host's stand-in that asks registries too: `provider`'s crate once more, with a feature.
const OF_REGISTRIES: &str = "provider-http";

/// The crates under `guest/` that an author's crate depends on.
const SDK: [&str; 3] = ["oci", "sdk", "strategy"];

/// What authors begin with in other languages.
const EXAMPLES: [&str; 3] = ["guest/examples/created", "guest/examples/entrypoint", "guest/examples/platforms"];

/// As small as zstd makes it. It is unpacked at the same speed whatever packing took.
const LEVEL: i32 = 19;

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            for line in message.lines() {
                println!("cargo::error={line}");
            }
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    let here = folder("CARGO_MANIFEST_DIR")?;
    #[cfg(feature = "serve")]
    gateway(&here.join("proto"), &folder("OUT_DIR")?)?;
    let (workspace, out, ready) = (here.join(".."), folder("OUT_DIR")?, here.join("bundled"));
    if !workspace.join("guest").is_dir() {
        println!("cargo::rerun-if-changed={}", ready.display());
        let files = ["components", "sdk"].map(|archive| [format!("{archive}.zst"), format!("{archive}.rs")]);
        return files.as_flattened().iter().try_for_each(|file| write(&out.join(file), &read(&ready.join(file))?));
    }
    for input in ["guest", "wit", "Cargo.toml", "Cargo.lock", "rust-toolchain.toml"] {
        println!("cargo::rerun-if-changed={}", workspace.join(input).display());
    }
    println!("cargo::rerun-if-changed=build.rs");

    target_is_installed()?;
    let target_dir = out.join("guests");
    let mut components = Vec::new();
    let guests: Vec<&str> = FRONTENDS.into_iter().chain(OTHERS).collect();
    let modules = compile(&workspace, &target_dir, &guests, &[])?;
    for name in guests {
        components.push((name.to_owned(), component(&modules, name)?));
    }
    // The same crates once more, so they take the places of the other modules.
    let judged = FRONTENDS.map(|name| format!("portolan-{name}/judged")).join(",");
    let modules = compile(&workspace, &target_dir, &FRONTENDS, &["--features", &judged])?;
    for name in FRONTENDS {
        components.push((format!("{name}-judged"), component(&modules, name)?));
    }
    let modules = compile(&workspace, &target_dir, &["provider"], &["--features", "http"])?;
    components.push((OF_REGISTRIES.to_owned(), component(&modules, "provider")?));
    pack("components", &components, &out)?;
    let sdk = out.join("sdk");
    lay_out_sdk(&workspace, &sdk)?;
    pack("sdk", &sources(&sdk)?, &out)
}

/// The gateway's messages and service, as Rust and as descriptors.
#[cfg(feature = "serve")]
fn gateway(protos: &Path, out: &Path) -> Result<(), String> {
    println!("cargo::rerun-if-changed={}", protos.display());
    let file = "portolan/v1/gateway.proto";
    let fail = |error: &dyn std::fmt::Display| format!("{file} does not compile: {error}");
    let mut compiler = protox::Compiler::new([protos]).map_err(|error| fail(&error))?;
    compiler.include_source_info(true).include_imports(true).open_file(file).map_err(|error| fail(&error))?;
    write(&out.join("gateway.bin"), &compiler.encode_file_descriptor_set())?;
    tonic_prost_build::configure()
        .build_client(false)
        .build_transport(false)
        .bytes(".portolan.v1")
        .compile_fds(compiler.file_descriptor_set())
        .map_err(|error| fail(&error))
}

/// Writes an archive, and its table: name, place in the archive unpacked, SHA-256.
fn pack(archive: &str, files: &[(String, Vec<u8>)], out: &Path) -> Result<(), String> {
    let (mut all, mut table) = (Vec::new(), String::new());
    for (name, bytes) in files {
        let (start, digest) = (all.len(), Sha256::digest(bytes));
        all.extend_from_slice(bytes);
        let hex = digest.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        writeln!(table, "    ({name:?}, {start}..{}, {hex:?}),", all.len()).map_err(|error| error.to_string())?;
    }
    let packed = zstd::encode_all(&*all, LEVEL).map_err(|error| format!("cannot pack the {archive}: {error}"))?;
    write(&out.join(archive).with_extension("zst"), &packed)?;
    write(&out.join(archive).with_extension("rs"), format!("[\n{table}]\n").as_bytes())
}

/// What a frontend's author builds with, as a workspace of its own: the contract, and three crates of this one.
fn lay_out_sdk(workspace: &Path, sdk: &Path) -> Result<(), String> {
    if sdk.exists() {
        fs::remove_dir_all(sdk).map_err(|error| format!("cannot remove {}: {error}", sdk.display()))?;
    }
    let manifest = String::from_utf8(read(&workspace.join("Cargo.toml"))?).map_err(|error| error.to_string())?;
    let members = |text: &str| Some((text.find("members = [")?, text.find("[workspace.package]")?));
    let (start, end) = members(&manifest).ok_or("Cargo.toml has no members before [workspace.package]")?;
    let listed = SDK.map(|member| format!("\"guest/{member}\"")).join(", ");
    let (head, rest) = (manifest.get(..start).unwrap_or_default(), manifest.get(end..).unwrap_or_default());
    write(&sdk.join("Cargo.toml"), format!("{head}members = [{listed}]\n\n{rest}").as_bytes())?;
    let crates = SDK.map(|member| format!("guest/{member}/src"));
    for folder in crates.iter().map(String::as_str).chain(EXAMPLES).chain(["wit"]) {
        for (name, bytes) in sources(&workspace.join(folder))? {
            write(&sdk.join(folder).join(name), &bytes)?;
        }
    }
    for file in SDK.map(|member| format!("guest/{member}/Cargo.toml")) {
        write(&sdk.join(&file), &read(&workspace.join(&file))?)?;
    }
    Ok(())
}

/// All files in a folder, each by its path below it, in order.
fn sources(folder: &Path) -> Result<Vec<(String, Vec<u8>)>, String> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        let entries = fs::read_dir(&next).map_err(|error| format!("cannot read {}: {error}", next.display()))?;
        for entry in entries {
            let path = entry.map_err(|error| format!("cannot read {}: {error}", next.display()))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            // What an author's tools leave beside an example.
            if name.starts_with('.') || name.ends_with(".wasm") || ["node_modules", "__pycache__"].contains(&&*name) {
                continue;
            }
            match (path.is_dir(), path.strip_prefix(folder)) {
                (true, _) => folders.push(path),
                (false, Ok(name)) => found.push((name.to_string_lossy().into_owned(), read(&path)?)),
                (false, Err(error)) => return Err(error.to_string()),
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A component of a core module.
fn component(modules: &Path, name: &str) -> Result<Vec<u8>, String> {
    let module = read(&modules.join(format!("portolan_{name}.wasm")))?;
    wit_component::ComponentEncoder::default()
        .module(&module)
        .and_then(|encoder| encoder.validate(true).encode())
        .map_err(|error| format!("portolan-{name} does not make a component: {error:#}"))
}

/// The folder of the guests' core modules.
fn compile(workspace: &Path, target_dir: &Path, guests: &[&str], more: &[&str]) -> Result<PathBuf, String> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace).args(["build", "--release", "--lib", "--locked", "--target", TARGET]);
    cargo.arg("--target-dir").arg(target_dir).args(more);
    for name in guests {
        cargo.arg("--package").arg(format!("portolan-{name}"));
    }
    // What the outer build was told about the host's code (flags, wrappers such as clippy's, profiles) is not meant for
    // guests: they come out the same whoever builds them.
    for (name, _) in env::vars_os() {
        let ours = name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PROFILE_")
                || name.starts_with("CARGO_BUILD_")
                || name.starts_with("CARGO_TARGET_")
                || name.ends_with("RUSTFLAGS")
                || name.ends_with("_WRAPPER")
        });
        if ours {
            cargo.env_remove(name);
        }
    }
    cargo.envs([
        ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "3"),
        ("CARGO_PROFILE_RELEASE_LTO", "true"),
        ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1"),
        ("CARGO_PROFILE_RELEASE_PANIC", "abort"),
        ("CARGO_PROFILE_RELEASE_STRIP", "true"),
        // The linker's default of 1 MiB is twice what the host lets a guest recurse, and is cleared between runs.
        ("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", "-Clink-arg=-zstack-size=262144"),
    ]);
    let output = cargo.output().map_err(|error| format!("cannot start cargo for the bundled guests: {error}"))?;
    if !output.status.success() {
        let log = String::from_utf8_lossy(&output.stderr);
        return Err(format!("the bundled guests do not build ({})\n{log}", output.status));
    }
    Ok(target_dir.join(TARGET).join("release"))
}

/// Without the target rustc only says that it cannot find `core`.
fn target_is_installed() -> Result<(), String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .map_err(|error| format!("cannot start rustc: {error}"))?;
    let folder = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && Path::new(folder.trim()).is_dir() {
        return Ok(());
    }
    Err(format!(
        "the Rust target {TARGET}, which the bundled frontends are built for, is not installed\n\
         run `rustup toolchain install` in this folder: it installs what rust-toolchain.toml lists"
    ))
}

fn folder(variable: &str) -> Result<PathBuf, String> {
    env::var_os(variable).map(PathBuf::from).ok_or_else(|| format!("cargo did not set {variable}"))
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), String> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    }
    fs::write(file, bytes).map_err(|error| format!("cannot write {}: {error}", file.display()))
}
