package portolan

import (
	"context"
	"fmt"

	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"google.golang.org/grpc"

	"portolan/clients/go/gatewayv1"
)

// NewResolver makes a containerd resolver of a connection to a gateway. It keeps nothing, and may be used side by side.
func NewResolver(conn grpc.ClientConnInterface) remotes.Resolver {
	return &resolver{gatewayv1.NewGatewayClient(conn)}
}

type resolver struct {
	client gatewayv1.GatewayClient
}

// Resolve returns the reference in full, with `latest` where neither tag nor digest is said, and the root it means now.
func (r *resolver) Resolve(ctx context.Context, ref string) (string, ocispec.Descriptor, error) {
	named, err := parse(ref)
	if err != nil {
		return "", ocispec.Descriptor{}, err
	}
	answer, err := r.client.Resolve(ctx, &gatewayv1.ResolveRequest{Reference: named.String()})
	if err != nil {
		return "", ocispec.Descriptor{}, native(err)
	}
	root, err := read(answer.GetRoot())
	if err != nil {
		return "", ocispec.Descriptor{}, err
	}
	if pinned, ok := named.(reference.Digested); ok && pinned.Digest() != root.Digest {
		return "", ocispec.Descriptor{}, broken("resolved %s to %s", named, root.Digest)
	}
	return named.String(), root, nil
}

// Fetcher reads from the repository of a reference. What it returns is a [remotes.FetcherByDigest] as well.
func (r *resolver) Fetcher(_ context.Context, ref string) (remotes.Fetcher, error) {
	named, err := parse(ref)
	if err != nil {
		return nil, err
	}
	return &fetcher{r.client, named.Name()}, nil
}

// Pusher writes to the repository of a reference. A reference with a tag gives it to every index and manifest that is
// pushed, so that the root, which comes last, has it; one with a digest besides gives it to that one alone.
func (r *resolver) Pusher(_ context.Context, ref string) (remotes.Pusher, error) {
	named, err := parse(ref)
	if err != nil {
		return nil, err
	}
	p := &pusher{client: r.client, repository: named.Name()}
	if tagged, ok := named.(reference.Tagged); ok {
		p.tag = tagged.Tag()
	}
	if pinned, ok := named.(reference.Digested); ok {
		p.only = pinned.Digest()
	}
	return p, nil
}

func parse(ref string) (reference.Named, error) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return nil, fmt.Errorf("%q: %w: %w", ref, err, errdefs.ErrInvalidArgument)
	}
	return reference.TagNameOnly(named), nil
}

// read is a descriptor as containerd has it, of one that came from the gateway.
func read(told *gatewayv1.Descriptor) (ocispec.Descriptor, error) {
	parsed, err := digest.Parse(told.GetDigest())
	if err != nil || told.GetSize() < 0 {
		return ocispec.Descriptor{}, broken("answered with %d bytes of digest %q", told.GetSize(), told.GetDigest())
	}
	return ocispec.Descriptor{MediaType: told.GetMediaType(), Digest: parsed, Size: told.GetSize()}, nil
}

// write is the other way round. The gateway has no use for a descriptor's annotations.
func write(desc ocispec.Descriptor) *gatewayv1.Descriptor {
	return &gatewayv1.Descriptor{MediaType: desc.MediaType, Digest: desc.Digest.String(), Size: desc.Size}
}
