#!/usr/bin/env bash
# What people install: a static program in a tar archive with completions and manual pages, a Debian package, and a container
# image that Portolan writes itself, whose program is the gateway, too. Each is tried where nothing else is.
# PROFILE=dev makes them of a program that is quicker to build, for who changes how they are made.
# usage: dist.sh TARGET_DIR OUT
set -euo pipefail
umask 022
cd "$(dirname "$0")/../.."

target_dir=$1 out=$2 profile=${PROFILE:-dist}
triple=x86_64-unknown-linux-musl architecture=amd64 platform=linux/amd64
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
name=portolan-$version-$triple
epoch=$(git log -1 --format=%ct 2>/dev/null || date +%s)

rustup target list --installed | grep -qx "$triple" || {
    echo "==> the target $triple"
    rustup target add "$triple"
}
contrib/dist/install-tools.sh
echo "==> cargo build --profile $profile --target $triple (the first build compiles wasmtime, some minutes)"
build() {
    cargo build --profile "$profile" --locked --package portolan --bin portolan --target "$triple" --target-dir "$target_dir" "$@"
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
program=$target_dir/$triple/${profile/#dev/debug}/portolan
mkdir "$work/gateway"
build --features serve
cp "$program" "$work/gateway"
build
cargo build --locked --package portolan --example own-image --target-dir "$target_dir"
image=$target_dir/debug/examples/own-image

mkdir -p "$out"
out=$(realpath "$out")
# Whoever makes it twice, of the same program, gets the same bytes.
packed() { tar --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner -C "$1" -c "$2" | gzip -9n >"$3"; }

echo "==> $name.tar.gz"
tree=$work/$name
mkdir -p "$tree/completions" "$tree/man"
install -m 755 "$program" "$tree/portolan"
install -m 644 README.md SECURITY.md CHANGELOG.md LICENSE "$tree"
"$program" completions bash >"$tree/completions/portolan.bash"
"$program" completions zsh >"$tree/completions/_portolan"
"$program" completions fish >"$tree/completions/portolan.fish"
"$program" man "$tree/man"
packed "$work" "$name" "$out/$name.tar.gz"

echo "==> portolan_${version}_$architecture.deb"
root=$work/deb
install -D -m 755 "$program" "$root/usr/bin/portolan"
install -D -m 644 "$tree/completions/portolan.bash" "$root/usr/share/bash-completion/completions/portolan"
install -D -m 644 "$tree/completions/_portolan" "$root/usr/share/zsh/vendor-completions/_portolan"
install -D -m 644 "$tree/completions/portolan.fish" "$root/usr/share/fish/vendor_completions.d/portolan.fish"
install -D -m 644 -t "$root/usr/share/doc/portolan" README.md SECURITY.md
gzip -9nc CHANGELOG.md >"$root/usr/share/doc/portolan/changelog.gz"
{
    printf 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n'
    printf 'Files: *\nCopyright: the authors of Portolan\nLicense: Apache-2.0\n On Debian systems the text is in /usr/share/common-licenses/Apache-2.0.\n'
} >"$root/usr/share/doc/portolan/copyright"
for page in "$tree"/man/*.1; do
    mkdir -p "$root/usr/share/man/man1"
    gzip -9nc "$page" >"$root/usr/share/man/man1/$(basename "$page").gz"
done
mkdir -p "$root/DEBIAN"
cat >"$root/DEBIAN/control" <<CONTROL
Package: portolan
Version: $version
Architecture: $architecture
Maintainer: the authors of Portolan <portolan@localhost>
Section: utils
Priority: optional
Installed-Size: $(du -sk "$root/usr" | cut -f1)
Recommends: ca-certificates
Description: resolve, inspect, create and copy container images
 A native host does the I/O with registries, image layouts and archives;
 WebAssembly plug-ins in a sandbox decide how images are resolved.
CONTROL
find "$root" -type d -exec chmod 755 {} +
SOURCE_DATE_EPOCH=$epoch dpkg-deb --root-owner-group -Zxz --build "$root" "$out/portolan_${version}_$architecture.deb" >/dev/null

echo "==> portolan-$version-image.tar, by Portolan itself"
authorities=/etc/ssl/certs/ca-certificates.crt
files=()
[ ! -r "$authorities" ] || files+=("$authorities=$authorities")
"$image" "$work/layout" base "$platform" "$work/gateway/portolan" "${files[@]}" >/dev/null
rm -f "$out/portolan-$version-image.tar"
"$program" create --quiet -t "oci-archive://$out/portolan-$version-image.tar:$version" "oci-layout://$work/layout:base" \
    --annotation "index:org.opencontainers.image.title=portolan" \
    --annotation "index:org.opencontainers.image.version=$version" >/dev/null

contrib/dist/try.sh "$out" "$version"
(cd "$out" &&
    sha256sum "$name.tar.gz" "portolan_${version}_$architecture.deb" "portolan-$version-image.tar" >SHA256SUMS && ls -l)
