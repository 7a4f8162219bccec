package portolan

import (
	"context"
	"fmt"
	"io"

	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"google.golang.org/grpc"

	"portolan/clients/go/gatewayv1"
)

type fetcher struct {
	client     gatewayv1.GatewayClient
	repository string
}

var _ remotes.FetcherByDigest = (*fetcher)(nil)

// Fetch returns content once the gateway has said that it comes: what is not there fails here, and not while reading.
func (f *fetcher) Fetch(ctx context.Context, desc ocispec.Descriptor) (io.ReadCloser, error) {
	content, _, err := f.open(ctx, desc)
	return content, err
}

// FetchByDigest returns content of which only the digest is known, with what the registry says of it.
func (f *fetcher) FetchByDigest(
	ctx context.Context, dgst digest.Digest, opts ...remotes.FetchByDigestOpts,
) (io.ReadCloser, ocispec.Descriptor, error) {
	var config remotes.FetchByDigestConfig
	for _, opt := range opts {
		if err := opt(ctx, &config); err != nil {
			return nil, ocispec.Descriptor{}, err
		}
	}
	content, desc, err := f.open(ctx, ocispec.Descriptor{MediaType: config.Mediatype, Digest: dgst})
	if desc.MediaType == "" && err == nil {
		desc.MediaType = "application/octet-stream"
	}
	return content, desc, err
}

func (f *fetcher) open(
	ctx context.Context, wanted ocispec.Descriptor,
) (_ io.ReadCloser, _ ocispec.Descriptor, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		if err != nil {
			cancel()
		}
	}()
	stream, err := f.client.Fetch(ctx, &gatewayv1.FetchRequest{Repository: f.repository, Descriptor_: write(wanted)})
	if err != nil {
		return nil, ocispec.Descriptor{}, native(err)
	}
	first, err := stream.Recv()
	if err != nil {
		return nil, ocispec.Descriptor{}, native(err)
	}
	comes, err := read(first.GetDescriptor_())
	if err != nil {
		return nil, ocispec.Descriptor{}, err
	}
	if comes.Digest != wanted.Digest || wanted.Size > 0 && comes.Size != wanted.Size {
		return nil, ocispec.Descriptor{}, broken(
			"sends %d bytes of %s for %d of %s", comes.Size, comes.Digest, wanted.Size, wanted.Digest)
	}
	return &reader{stream: stream, cancel: cancel, left: comes.Size}, comes, nil
}

// reader is a stream's bytes. It counts them and does not hash them: the gateway has, and whoever keeps them will.
type reader struct {
	stream grpc.ServerStreamingClient[gatewayv1.FetchResponse]
	cancel context.CancelFunc
	chunk  []byte
	// Bytes that are still to come.
	left int64
	err  error
}

func (r *reader) Read(p []byte) (int, error) {
	for len(r.chunk) == 0 && r.err == nil {
		r.chunk, r.err = r.next()
	}
	if len(r.chunk) == 0 {
		return 0, r.err
	}
	n := copy(p, r.chunk)
	r.chunk = r.chunk[n:]
	return n, nil
}

// next is the next chunk, or io.EOF if that was all of it and the gateway says so too.
func (r *reader) next() ([]byte, error) {
	message, err := r.stream.Recv()
	if err == io.EOF && r.left == 0 {
		return nil, io.EOF
	}
	if err == io.EOF {
		return nil, fmt.Errorf("the gateway sent %d bytes too few: %w", r.left, io.ErrUnexpectedEOF)
	}
	if err != nil {
		return nil, native(err)
	}
	part, ok := message.GetPart().(*gatewayv1.FetchResponse_Chunk)
	if !ok {
		return nil, broken("sent something else than a chunk")
	}
	if r.left -= int64(len(part.Chunk)); r.left < 0 {
		return nil, broken("sent %d bytes too many", -r.left)
	}
	return part.Chunk, nil
}

// Close ends the stream, whatever is still to come.
func (r *reader) Close() error {
	r.cancel()
	return nil
}
