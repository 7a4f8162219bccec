// Pull gets an image through a gateway, with all its platforms, by containerd's own code.
//
//	pull GATEWAY REFERENCE FOLDER
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"sync"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/containerd/v2/plugins/content/local"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	portolan "portolan/clients/go"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 4 {
		log.Fatal("usage: pull GATEWAY REFERENCE FOLDER")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := pull(ctx, os.Stdout, os.Args[1], os.Args[2], os.Args[3]); err != nil {
		if problem, ok := portolan.ProblemOf(err); ok && problem.GetHint() != "" {
			err = fmt.Errorf("%w\nhint: %s", err, problem.GetHint())
		}
		log.Fatal(err)
	}
}

func pull(ctx context.Context, out io.Writer, gateway, ref, folder string) error {
	conn, err := portolan.Dial(gateway)
	if err != nil {
		return err
	}
	defer conn.Close()
	store, err := local.NewStore(folder)
	if err != nil {
		return err
	}
	resolver := portolan.NewResolver(conn)
	name, root, err := resolver.Resolve(ctx, ref)
	if err != nil {
		return err
	}
	fetcher, err := resolver.Fetcher(ctx, name)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	tell := images.HandlerFunc(func(_ context.Context, desc ocispec.Descriptor) ([]ocispec.Descriptor, error) {
		mu.Lock()
		defer mu.Unlock()
		_, err := fmt.Fprintln(out, desc.Digest, desc.Size, desc.MediaType)
		return nil, err
	})
	handler := images.Handlers(remotes.FetchHandler(store, fetcher), tell, images.ChildrenHandler(store))
	if err := images.Dispatch(ctx, handler, nil, root); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s is %s\n", name, root.Digest)
	return err
}
