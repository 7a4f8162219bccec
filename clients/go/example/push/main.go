// Push sends an OCI layout's one image through a gateway, by containerd's own code.
//
//	push GATEWAY REFERENCE FOLDER
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/containerd/platforms"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	portolan "portolan/clients/go"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 4 {
		log.Fatal("usage: push GATEWAY REFERENCE FOLDER")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := push(ctx, os.Stdout, os.Args[1], os.Args[2], os.Args[3]); err != nil {
		log.Fatal(err)
	}
}

func push(ctx context.Context, out io.Writer, gateway, ref, folder string) error {
	text, err := os.ReadFile(filepath.Join(folder, ocispec.ImageIndexFile))
	if err != nil {
		return err
	}
	var layout ocispec.Index
	if err := json.Unmarshal(text, &layout); err != nil {
		return err
	}
	if len(layout.Manifests) != 1 {
		return fmt.Errorf("%s has %d images, not one", folder, len(layout.Manifests))
	}
	root := layout.Manifests[0]
	// A layout's blobs lie where containerd's store has its own.
	store, err := local.NewStore(folder)
	if err != nil {
		return err
	}
	conn, err := portolan.Dial(gateway)
	if err != nil {
		return err
	}
	defer conn.Close()
	// With the digest the root alone gets the tag, and not one manifest after the other.
	pusher, err := portolan.NewResolver(conn).Pusher(ctx, ref+"@"+root.Digest.String())
	if err != nil {
		return err
	}
	if err := remotes.PushContent(ctx, pusher, root, store, nil, platforms.All, nil); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s is %s\n", ref, root.Digest)
	return err
}
