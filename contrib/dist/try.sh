#!/usr/bin/env bash
# What was made, each where nothing else is: no library, no shell, no network.
# usage: try.sh OUT VERSION
set -euo pipefail

out=$1 version=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fixtures=$(realpath "$(dirname "$0")/../../tests/fixtures")
digest=sha256:0c295ea8974e7a4700156b8eabca42aefbbb360b7a6d7c4a9cb02a4a19bcb1b9

# In a root of its own, which has the program and a layout to look at.
alone() {
    local root=$1 program=$2
    cp -r "$fixtures/layouts/buildkit-multi" "$root/layout"
    local said
    said=$(unshare --user --map-root-user --net chroot "$root" "$program" --version)
    [ "$said" = "portolan $version" ] || { echo "portolan: $program says $said" >&2 && exit 1; }
    said=$(unshare --user --map-root-user --net chroot "$root" "$program" resolve oci-layout://layout:1.4 --digest)
    [ "$said" = "$digest" ] || { echo "portolan: $program resolves to $said" >&2 && exit 1; }
    rm -r "$root/layout"
}

mkdir "$work/tar" && tar -xzf "$out/portolan-$version-x86_64-unknown-linux-musl.tar.gz" -C "$work/tar" --strip-components 1
if ! file -b "$work/tar/portolan" | grep -Eq 'static(ally|-pie) linked'; then
    echo "portolan: the program is not static" >&2 && exit 1
fi
mkdir "$work/empty" && cp "$work/tar/portolan" "$work/empty"
alone "$work/empty" /portolan
bash -n "$work/tar/completions/portolan.bash"
[ -s "$work/tar/man/portolan-inspect.1" ]
echo "    the archive: runs in an empty root"

mkdir "$work/deb" && dpkg-deb -x "$out/portolan_${version}_amd64.deb" "$work/deb"
dpkg-deb --field "$out/portolan_${version}_amd64.deb" Package Version Architecture >/dev/null
alone "$work/deb" /usr/bin/portolan
echo "    the package: unpacks, and runs in a root that has nothing else"

skopeo inspect "oci-archive:$out/portolan-$version-image.tar:$version" --override-os linux --override-arch amd64 >/dev/null
skopeo copy --quiet --override-arch amd64 "oci-archive:$out/portolan-$version-image.tar:$version" "oci:$work/oci:image"
umoci unpack --rootless --image "$work/oci:image" "$work/bundle" >/dev/null 2>&1
alone "$work/bundle/rootfs" /portolan
gateway=$work/bundle/rootfs/gateway.sock
unshare --user --map-root-user --net chroot "$work/bundle/rootfs" \
    /portolan serve --listen unix:/gateway.sock --pull '*' 2>/dev/null &
for _ in $(seq 100); do
    [ ! -S "$gateway" ] || break
    sleep 0.1
done
said=$(curl --silent --show-error --unix-socket "$gateway" http://gateway/v2/)
kill %1 && wait %1
[ "$said" = "{}" ] || { echo "portolan: the image's gateway says $said" >&2 && exit 1; }
echo "    the image: skopeo reads it, umoci unpacks it, it runs, and it serves"
